#include "proxy/keeper.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>

#include "base/clock.h"

namespace proxy {
namespace {

constexpr std::chrono::milliseconds kFirstWait{10}, kLongestWait{1000};
constexpr std::chrono::seconds kStaysUp{10};

// A signal, or nothing within `limit`. SIGCHLD is one of them.
int wait_for_signal(const sigset_t& signals, std::chrono::milliseconds limit) {
  const timespec timeout{.tv_sec = limit.count() / 1000, .tv_nsec = limit.count() % 1000 * 1'000'000};
  return ::sigtimedwait(&signals, nullptr, &timeout);
}

}  // namespace

int keep_running(const std::function<int()>& serve) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&signals, signal);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  std::chrono::milliseconds wait = kFirstWait;
  for (;;) {
    const base::TimePoint started = base::now();
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) {
      std::perror("fairlead-proxy: fork");
      return 1;
    }
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a proxy without its keeper could not be ended
      if (::getppid() != parent) ::_exit(1);
      ::sigprocmask(SIG_UNBLOCK, &signals, nullptr);
      ::_exit(serve());
    }
    bool is_ending = false;
    int status = 0;
    while (::waitpid(child, &status, WNOHANG) == 0) {
      const int signal = wait_for_signal(signals, kLongestWait);
      if (signal != SIGTERM && signal != SIGINT) continue;
      is_ending = true;
      ::kill(child, SIGTERM);
    }
    if (is_ending) return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    std::fprintf(stderr, "fairlead-proxy: ended by %s %d; starting it again\n",
                 WIFSIGNALED(status) ? "signal" : "exit code",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    wait = base::now() - started >= kStaysUp ? kFirstWait : std::min(wait * 2, kLongestWait);
    const int signal = wait_for_signal(signals, wait);
    if (signal == SIGTERM || signal == SIGINT) return 0;
  }
}

}  // namespace proxy
