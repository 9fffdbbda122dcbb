// What a proxy that was taken over can still do: a child enters the real sandbox as root would, then tries.
#include "proxy/sandbox/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <string>

#include "base/unique_fd.h"

namespace {

constexpr const char* kFile = "/tmp/fairlead-sandbox-test";
constexpr int kWorked = 0;
constexpr int kNoSandbox = 255;

// errno of what `attempt` (which returns -1 on failure) came to in the sandbox, kWorked when it did its work.
int in_sandbox(const std::function<long()>& attempt) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!proxy::enter_sandbox()) ::_exit(kNoSandbox);
    errno = 0;
    const long result = attempt();
    ::_exit(result == -1 ? errno : kWorked);
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return kNoSandbox;
  return WEXITSTATUS(status);
}

long open_file(const char* path, int flags) { return ::open(path, flags, 0600); }

struct Attempt {
  const char* what;
  std::function<long()> call;
};

TEST(Sandbox, RefusesEveryWayOut) {
  const pid_t parent = ::getpid();
  ::unlink(kFile);
  const base::UniqueFd own_netns(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(own_netns);
  static const char* const kArguments[] = {"/bin/true", nullptr};
  const Attempt attempts[] = {
      {"read a secret", [] { return open_file("/etc/shadow", O_RDONLY); }},
      {"read a public file", [] { return open_file("/etc/passwd", O_RDONLY); }},
      {"make a file", [] { return open_file(kFile, O_WRONLY | O_CREAT); }},
      {"open an older way", [] { return ::syscall(SYS_open, "/etc/passwd", O_RDONLY); }},
      {"open_by_handle_at", [] { return ::syscall(SYS_open_by_handle_at, AT_FDCWD, nullptr, 0); }},
      {"remove a file", [] { return static_cast<long>(::unlink(kFile)); }},
      {"load a program into the kernel",
       [] {
         bpf_attr attribute{};
         attribute.map_type = BPF_MAP_TYPE_ARRAY;
         attribute.key_size = attribute.value_size = 4;
         attribute.max_entries = 1;
         return ::syscall(SYS_bpf, BPF_MAP_CREATE, &attribute, sizeof attribute);
       }},
      {"trace another process", [=] { return ::ptrace(PTRACE_ATTACH, parent, nullptr, nullptr); }},
      {"read another process",
       [=] {
         char byte = 0;
         iovec local{&byte, 1}, remote{&byte, 1};
         return static_cast<long>(::process_vm_readv(parent, &local, 1, &remote, 1, 0));
       }},
      {"enter a namespace", [&] { return static_cast<long>(::setns(own_netns.get(), CLONE_NEWNET)); }},
      {"make a namespace", [] { return static_cast<long>(::unshare(CLONE_NEWUSER)); }},
      {"run a program",
       [] { return static_cast<long>(::execve(kArguments[0], const_cast<char* const*>(kArguments), nullptr)); }},
      {"run a program by descriptor",
       [] { return ::syscall(SYS_execveat, AT_FDCWD, kArguments[0], kArguments, nullptr, 0); }},
      {"mount", [] { return static_cast<long>(::mount("none", "/tmp", "tmpfs", 0, nullptr)); }},
      {"end another process", [=] { return static_cast<long>(::kill(parent, 0)); }},
      {"become root again", [] { return static_cast<long>(::setuid(0)); }},
      {"make memory executable",
       [] {
         void* const page =
             ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
         return page == MAP_FAILED ? -1L : 0L;
       }},
      {"see packets", [] { return static_cast<long>(::socket(AF_PACKET, SOCK_RAW, 0)); }},
      {"send raw packets", [] { return static_cast<long>(::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)); }},
      {"send datagrams", [] { return static_cast<long>(::socket(AF_INET, SOCK_DGRAM, 0)); }},
      {"talk to the kernel", [] { return static_cast<long>(::socket(AF_NETLINK, SOCK_RAW, 0)); }},
      {"use its keys", [] { return ::syscall(SYS_keyctl, 0, 0, 0, 0, 0); }},
      {"count events", [] { return ::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0); }},
      {"use io_uring", [] { return ::syscall(SYS_io_uring_setup, 1, nullptr); }},
      {"be dumpable again", [] { return static_cast<long>(::prctl(PR_SET_DUMPABLE, 1)); }},
  };
  for (const Attempt& attempt : attempts) EXPECT_EQ(in_sandbox(attempt.call), EPERM) << attempt.what;
  EXPECT_NE(::access(kFile, F_OK), 0);
}

TEST(Sandbox, LetsTheProxyDoItsWork) {
  int log[2];
  ASSERT_EQ(::pipe2(log, O_CLOEXEC), 0);
  const base::UniqueFd reader(log[0]), writer(log[1]);
  const Attempt attempts[] = {
      {"write to a descriptor it was given", [&] { return static_cast<long>(::write(writer.get(), "x", 1)); }},
      {"connect",
       [] {
         const base::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
         sockaddr_in nobody{};
         nobody.sin_family = AF_INET;
         nobody.sin_port = htons(1);
         nobody.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
         if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&nobody), sizeof nobody) == 0) return 0L;
         return errno == EINPROGRESS || errno == ECONNREFUSED ? 0L : -1L;
       }},
      {"reach an agent", [] { return static_cast<long>(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }},
      {"wait for events",
       [] {
         const base::UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC)), event(::eventfd(1, EFD_CLOEXEC));
         epoll_event wanted{.events = EPOLLIN, .data = {.u64 = 0}}, seen{};
         if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, event.get(), &wanted) != 0) return -1L;
         return ::epoll_wait(epoll.get(), &seen, 1, 0) == 1 ? 0L : -1L;
       }},
      {"take memory",
       [] {
         void* const pages = ::mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
         return pages == MAP_FAILED ? -1L : static_cast<long>(::munmap(pages, 1 << 20));
       }},
  };
  for (const Attempt& attempt : attempts) EXPECT_EQ(in_sandbox(attempt.call), kWorked) << attempt.what;
}

TEST(Sandbox, LeavesNoUserGroupOrCapability) {
  EXPECT_EQ(in_sandbox([] {
              const bool is_nobody = ::getuid() != 0 && ::geteuid() != 0 && ::getegid() != 0;
              return is_nobody ? 0L : -1L;
            }),
            kWorked);
  EXPECT_EQ(in_sandbox([] { return ::prctl(PR_CAPBSET_READ, 21) == 0 ? 0L : -1L; }), EPERM)
      << "not even looking is on the list";
}

}  // namespace
