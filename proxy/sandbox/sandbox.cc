#include "proxy/sandbox/sandbox.h"

#include <grp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>
#include <memory>
#include <vector>

#include "proxy/sandbox/proxy_user.h"

namespace proxy {
namespace {

using base::Result;

Result<> drop_capability_bounds() {
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability) >= 0; ++capability) {
    if (::prctl(PR_CAPBSET_DROP, capability) != 0) return base::fail_errno("prctl(PR_CAPBSET_DROP)");
  }
  return {};
}

Result<> drop_user() {
  if (::setgroups(0, nullptr) != 0) return base::fail_errno("setgroups");
  if (::setresgid(kProxyUid, kProxyUid, kProxyUid) != 0) return base::fail_errno("setresgid");
  if (::setresuid(kProxyUid, kProxyUid, kProxyUid) != 0) return base::fail_errno("setresuid");
  return {};
}

Result<> drop_capabilities() {
  const std::unique_ptr<_cap_struct, int (*)(void*)> none(::cap_init(), ::cap_free);
  if (!none || ::cap_set_proc(none.get()) != 0) return base::fail_errno("cap_set_proc");
  return {};
}

// Everything the workers, the channel and the C library need. No file is opened, no program started, no other process
// touched, no memory made executable. Rings of io_uring cannot be made; those that are there can only send (SendRing).
constexpr std::initializer_list<int> kAllowed = {
    // descriptors that are already there
    SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(close),
    SCMP_SYS(fcntl), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(lseek), SCMP_SYS(dup), SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    // sockets
    SCMP_SYS(accept4), SCMP_SYS(connect), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg),
    SCMP_SYS(io_uring_enter), SCMP_SYS(shutdown), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    // event loops, timers, threads
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(eventfd2),
    SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(signalfd4), SCMP_SYS(futex),
    SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(restart_syscall),
    SCMP_SYS(gettimeofday), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(tgkill),
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(sigaltstack), SCMP_SYS(getrandom), SCMP_SYS(getrusage),
    // memory
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(membarrier)};

// libseccomp's macros for these are C.
scmp_arg_cmp equals(unsigned argument, scmp_datum_t value) { return {argument, SCMP_CMP_EQ, value, 0}; }
scmp_arg_cmp masked(unsigned argument, scmp_datum_t mask, scmp_datum_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

struct Rule {
  int call;
  std::vector<scmp_arg_cmp> arguments;
};

// What is allowed with some arguments only.
std::vector<Rule> conditional_rules() {
  const scmp_arg_cmp stream = masked(1, 0xf, SOCK_STREAM);
  const scmp_arg_cmp not_executable = masked(2, PROT_EXEC, 0);
  // A new user namespace comes with every capability.
  constexpr scmp_datum_t kNamespaces =
      CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
  return {{SCMP_SYS(socket), {equals(0, AF_UNIX), stream}},
          {SCMP_SYS(socket), {equals(0, AF_INET), stream}},
          {SCMP_SYS(socket), {equals(0, AF_INET6), stream}},
          {SCMP_SYS(mmap), {not_executable}},
          {SCMP_SYS(mprotect), {not_executable}},
          {SCMP_SYS(clone), {masked(0, kNamespaces | CLONE_THREAD, CLONE_THREAD)}},
          {SCMP_SYS(ioctl), {equals(1, FIONBIO)}},       // Asio makes descriptors non-blocking
          {SCMP_SYS(prctl), {equals(0, PR_SET_NAME)}}};  // pthread_setname_np
}

Result<> check(int status, const char* what) {
  if (status != 0) return base::fail_errno(what, -status);
  return {};
}

Result<> add_rules(scmp_filter_ctx filter) {
  for (const int call : kAllowed) {
    if (auto added = check(::seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0), "seccomp rule"); !added) return added;
  }
  for (const auto& [call, arguments] : conditional_rules()) {
    const int status = ::seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, static_cast<unsigned>(arguments.size()),
                                                arguments.data());
    if (auto added = check(status, "seccomp rule with arguments"); !added) return added;
  }
  // Its flags are in memory, where a filter cannot look. Told that there is none, the C library takes clone.
  return check(::seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0), "seccomp rule for clone3");
}

Result<> filter_system_calls() {
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(::seccomp_init(SCMP_ACT_ERRNO(EPERM)),
                                                                ::seccomp_release);
  if (!filter) return base::fail(base::Errc::io, "seccomp_init failed");
  if (auto added = add_rules(filter.get()); !added) return added;
  return check(::seccomp_load(filter.get()), "load the seccomp filter");
}

}  // namespace

Result<> enter_sandbox() {
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) return base::fail_errno("setrlimit(RLIMIT_CORE)");
  if (::geteuid() == 0) {
    if (auto done = drop_capability_bounds(); !done) return done;
    if (auto done = drop_user(); !done) return done;
  }
  if (auto done = drop_capabilities(); !done) return done;
  if (::prctl(PR_SET_DUMPABLE, 0) != 0) return base::fail_errno("prctl(PR_SET_DUMPABLE)");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return base::fail_errno("prctl(PR_SET_NO_NEW_PRIVS)");
  return filter_system_calls();
}

}  // namespace proxy
