// What a proxy that was taken over can still do: a child enters the real sandbox as root would, then tries.
#include "proxy/sandbox/sandbox.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "proxy/engine/send_ring.h"
#include "proxy/sandbox/proxy_user.h"

namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int kDidNotEnd = -1;
constexpr int kNoSandbox = 255;

// What `attempt`, which runs in the sandbox, came to: an errno, 0 for none.
int in_sandbox(const std::function<int()>& attempt) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!proxy::enter_sandbox()) ::_exit(kNoSandbox);
    ::_exit(attempt());
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return kDidNotEnd;
  return WEXITSTATUS(status);
}

// errno of a call that returns -1 when it is refused.
int refusal_of(const std::function<long()>& call) { return call() == -1 ? errno : 0; }

// A folder in which everybody may write.
class PublicFolder {
 public:
  PublicFolder() {
    EXPECT_NE(::mkdtemp(path_.data()), nullptr);
    EXPECT_EQ(::chmod(path_.c_str(), 0777), 0);
    std::ofstream(path_ + "/public") << "x";
  }
  PublicFolder(const PublicFolder&) = delete;
  PublicFolder& operator=(const PublicFolder&) = delete;
  ~PublicFolder() { std::filesystem::remove_all(path_); }

  [[nodiscard]] std::string operator/(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_ = ::testing::TempDir() + "fairlead-sandbox-XXXXXX";
};

long open_file(const std::string& path, int flags) { return ::open(path.c_str(), flags, 0600); }

struct Attempt {
  const char* what;
  std::function<long()> call;
};

TEST(Sandbox, RefusesEveryWayOut) {
  const pid_t parent = ::getpid();
  const PublicFolder folder;
  const base::UniqueFd own_netns(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(own_netns);
  static const char* const kArguments[] = {"/bin/true", nullptr};
  const Attempt attempts[] = {
      {"read a secret", [] { return open_file("/etc/shadow", O_RDONLY); }},
      {"list root's files", [] { return open_file("/root", O_RDONLY | O_DIRECTORY); }},
      {"read a public file", [&] { return open_file(folder / "public", O_RDONLY); }},
      {"make a file", [&] { return open_file(folder / "new", O_WRONLY | O_CREAT); }},
      {"open an older way", [&] { return ::syscall(SYS_open, (folder / "public").c_str(), O_RDONLY); }},
      {"open_by_handle_at", [] { return ::syscall(SYS_open_by_handle_at, AT_FDCWD, nullptr, 0); }},
      {"remove a file", [&] { return static_cast<long>(::unlink((folder / "public").c_str())); }},
      {"load a program into the kernel",
       [] {
         bpf_attr attribute{};
         attribute.map_type = BPF_MAP_TYPE_ARRAY;
         attribute.key_size = attribute.value_size = 4;
         attribute.max_entries = 1;
         return ::syscall(SYS_bpf, BPF_MAP_CREATE, &attribute, sizeof attribute);
       }},
      {"trace another process", [=] { return ::ptrace(PTRACE_ATTACH, parent, nullptr, nullptr); }},
      {"be traced", [] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }},
      {"read another process",
       [=] {
         char byte = 0;
         iovec local{&byte, 1}, remote{&byte, 1};
         return static_cast<long>(::process_vm_readv(parent, &local, 1, &remote, 1, 0));
       }},
      {"enter a namespace", [&] { return static_cast<long>(::setns(own_netns.get(), CLONE_NEWNET)); }},
      {"make a namespace", [] { return static_cast<long>(::unshare(CLONE_NEWUSER)); }},
      {"make a process", [] { return ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr); }},
      {"make a process in a namespace",
       [] { return ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr); }},
      {"make a thread in a namespace",
       [] {
         const int flags = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_NEWNET;
         return ::syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr);
       }},
      {"run a program",
       [] { return static_cast<long>(::execve(kArguments[0], const_cast<char* const*>(kArguments), nullptr)); }},
      {"run a program by descriptor",
       [] { return ::syscall(SYS_execveat, AT_FDCWD, kArguments[0], kArguments, nullptr, 0); }},
      {"mount", [] { return static_cast<long>(::mount("none", "/tmp", "tmpfs", 0, nullptr)); }},
      {"end another process", [=] { return static_cast<long>(::kill(parent, SIGKILL)); }},
      {"signal any process", [] { return static_cast<long>(::kill(::getpid(), 0)); }},
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
  for (const Attempt& attempt : attempts) {
    EXPECT_EQ(in_sandbox([&] { return refusal_of(attempt.call); }), EPERM) << attempt.what;
  }
  EXPECT_TRUE(std::filesystem::exists(folder / "public"));
  EXPECT_FALSE(std::filesystem::exists(folder / "new"));
}

// Without the filter the kernel would find fault with the arguments, mostly before it asks for a privilege.
TEST(Sandbox, RefusesByTheCallNotByPrivilege) {
  const std::pair<const char*, long> calls[] = {
      {"ptrace", SYS_ptrace},
      {"process_vm_writev", SYS_process_vm_writev},
      {"pidfd_open", SYS_pidfd_open},
      {"pidfd_getfd", SYS_pidfd_getfd},
      {"kill", SYS_kill},
      {"setns", SYS_setns},
      {"mount", SYS_mount},
      {"move_mount", SYS_move_mount},
      {"umount2", SYS_umount2},
      {"execve", SYS_execve},
      {"fchmodat", SYS_fchmodat},
      {"renameat2", SYS_renameat2},
      {"symlinkat", SYS_symlinkat},
      {"openat2", SYS_openat2},
      {"memfd_create", SYS_memfd_create},
      {"bind", SYS_bind},
      {"listen", SYS_listen},
      {"keyctl", SYS_keyctl},
      {"add_key", SYS_add_key},
      {"userfaultfd", SYS_userfaultfd},
      {"perf_event_open", SYS_perf_event_open},
      {"io_uring_setup", SYS_io_uring_setup},
      {"io_uring_register", SYS_io_uring_register},
      {"seccomp", SYS_seccomp},
      {"personality", SYS_personality},
  };
  for (const auto& [name, number] : calls) {
    const auto call = [number = number] { return ::syscall(number, -1L, -1L, -1L, -1L, -1L, -1L); };
    EXPECT_EQ(in_sandbox([&] { return refusal_of(call); }), EPERM) << name;
  }
}

// Its arguments are in memory, where a filter cannot look; the C library then makes threads by clone().
TEST(Sandbox, SaysThatThereIsNoClone3) {
  EXPECT_EQ(in_sandbox([] { return refusal_of([] { return ::syscall(SYS_clone3, nullptr, 0); }); }), ENOSYS);
}

bool accepts_and_answers(int listener, const sockaddr_in& address) {
  const base::UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
  if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return false;
  const base::UniqueFd server(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  int error = -1;
  socklen_t size = sizeof error;
  if (::getsockopt(server.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) return false;
  char text[] = "hello";
  iovec part{text, 5};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (::sendmsg(server.get(), &message, MSG_NOSIGNAL) != 5) return false;
  std::array<char, 16> into{};
  return ::recv(client.get(), into.data(), into.size(), 0) == 5;
}

bool sends_and_takes_a_descriptor(int from, int to) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  char byte = 'x';
  iovec part{&byte, 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof from);
  *reinterpret_cast<int*>(CMSG_DATA(header)) = from;
  if (::sendmsg(from, &message, 0) != 1) return false;
  return ::recvmsg(to, &message, MSG_CMSG_CLOEXEC) == 1 && message.msg_controllen != 0;
}

bool waits_for_events() {
  const base::UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  const base::UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
  const base::UniqueFd event(::eventfd(1, EFD_CLOEXEC));
  const itimerspec soon{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = 1}};
  if (::timerfd_settime(timer.get(), 0, &soon, nullptr) != 0) return false;
  for (const int fd : {timer.get(), event.get()}) {
    epoll_event wanted{.events = EPOLLIN, .data = {.fd = fd}};
    epoll_event seen{};
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &wanted) != 0) return false;
    if (::epoll_wait(epoll.get(), &seen, 1, 10'000) != 1 || seen.data.fd != fd) return false;
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, fd, nullptr) != 0) return false;
  }
  return true;
}

bool takes_and_gives_back_memory() {
  void* const pages = ::mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return false;
  *static_cast<char*>(pages) = 1;
  return ::munmap(pages, 1 << 20) == 0;
}

TEST(Sandbox, LetsTheProxyDoItsWork) {
  int log[2];
  ASSERT_EQ(::pipe2(log, O_CLOEXEC), 0);
  const base::UniqueFd reader(log[0]), writer(log[1]);
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  const base::UniqueFd left(pair[0]), right(pair[1]);
  const base::UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener.get(), 8), 0);
  ASSERT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);

  auto ring = proxy::engine::SendRing::create();
  ASSERT_TRUE(ring);

  const std::pair<const char*, std::function<bool()>> works[] = {
      {"send by a ring that it has",
       [&] {
         (*ring)->add(left.get(), "one", 1);
         (*ring)->add(left.get(), "two", 2);
         const auto sent = (*ring)->send_all();
         std::array<char, 16> into{};
         return sent.size() == 2 && sent[1].result == 3 && ::recv(right.get(), into.data(), into.size(), 0) == 6;
       }},
      {"write to a descriptor it was given", [&] { return ::write(writer.get(), "x", 1) == 1; }},
      {"accept, connect, send and receive", [&] { return accepts_and_answers(listener.get(), address); }},
      {"exchange descriptors with the agent", [&] { return sends_and_takes_a_descriptor(left.get(), right.get()); }},
      {"reach another agent", [] { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) != -1; }},
      {"make a descriptor non-blocking",
       [&] {
         int on = 1;
         return ::ioctl(left.get(), FIONBIO, &on) == 0;
       }},
      {"wait for events", waits_for_events},
      {"take memory and give it back", takes_and_gives_back_memory},
      {"read the clock",
       [] {
         timespec now{};
         return ::syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) == 0 && now.tv_sec > 0;
       }},
      {"draw random bytes",
       [] {
         std::array<char, 8> bytes{};
         return ::syscall(SYS_getrandom, bytes.data(), bytes.size(), 0) == 8;
       }},
      {"run threads and wait for them",
       [] {
         int result = 0;
         std::thread([&] { result = ::prctl(PR_SET_NAME, "worker") == 0 ? 1 : 2; }).join();
         return result == 1;
       }},
  };
  for (const auto& [what, work] : works) {
    EXPECT_EQ(in_sandbox([&] { return work() ? 0 : 1; }), 0) << what;
  }
}

// Gives the child what root may hand down: other groups, and a capability that survives execve.
bool take_more_privileges() {
  const gid_t groups[] = {4, 27};
  const cap_value_t ambient[] = {CAP_NET_ADMIN};
  const cap_t all = ::cap_get_proc();
  const bool is_done = ::setgroups(2, groups) == 0 && ::cap_set_flag(all, CAP_INHERITABLE, 1, ambient, CAP_SET) == 0 &&
                       ::cap_set_proc(all) == 0 &&
                       ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0) == 0;
  ::cap_free(all);
  return is_done;
}

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

bool become_ordinary_user() {
  return ::setresgid(1234, 1234, 1234) == 0 && ::setresuid(1234, 1234, 1234) == 0 && ::prctl(PR_SET_DUMPABLE, 1) == 0;
}

struct ProcessInProc {
  std::string status;
  std::string limits;
  uid_t owner = 0;  // of its files: root when its own user may not look into it
};

// A process that was prepared and has entered the sandbox, as others see it.
ProcessInProc after(bool (*prepare)()) {
  int pair[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  base::UniqueFd ours(pair[0]), theirs(pair[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    ours.reset();
    if (!prepare() || !proxy::enter_sandbox()) ::_exit(kNoSandbox);
    char byte = 'x';
    if (::write(theirs.get(), &byte, 1) != 1) ::_exit(kNoSandbox);
    ::_exit(::read(theirs.get(), &byte, 1) == 0 ? 0 : 1);  // until we have looked
  }
  theirs.reset();
  char byte = 0;
  EXPECT_EQ(::read(ours.get(), &byte, 1), 1) << "it did not enter";
  const std::string folder = "/proc/" + std::to_string(child);
  struct stat owner{};
  EXPECT_EQ(::stat((folder + "/status").c_str(), &owner), 0);
  ProcessInProc seen{text_of(folder + "/status"), text_of(folder + "/limits"), owner.st_uid};
  ours.reset();
  int end = 0;
  EXPECT_EQ(::waitpid(child, &end, 0), child);
  EXPECT_EQ(end, 0);
  return seen;
}

TEST(Sandbox, LeavesRootNoUserGroupOrCapability) {
  const ProcessInProc seen = after(take_more_privileges);
  const std::string user = std::to_string(proxy::kProxyUid);
  const std::string everywhere = user + "\t" + user + "\t" + user + "\t" + user + "\n";
  EXPECT_THAT(seen.status, AllOf(HasSubstr("\nUid:\t" + everywhere), HasSubstr("\nGid:\t" + everywhere),
                                 HasSubstr("\nGroups:\t \n")));
  for (const char* const set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
    EXPECT_THAT(seen.status, HasSubstr(std::string(set) + ":\t0000000000000000\n"));
  }
}

TEST(Sandbox, HoldsForAnOrdinaryUserToo) {
  for (const auto prepare : {take_more_privileges, become_ordinary_user}) {
    const ProcessInProc seen = after(prepare);
    EXPECT_THAT(seen.status, AllOf(HasSubstr("\nNoNewPrivs:\t1\n"), HasSubstr("\nSeccomp:\t2\n"),
                                   HasSubstr("\nCapEff:\t0000000000000000\n")));
    EXPECT_THAT(seen.limits, ::testing::ContainsRegex("Max core file size +0 +0 "));
    EXPECT_EQ(seen.owner, 0U) << "its own user could trace it";
  }
}

}  // namespace
