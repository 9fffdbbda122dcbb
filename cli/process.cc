#include "cli/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <initializer_list>
#include <utility>

namespace cli {
namespace {

// What went wrong between fork and exec, sent to the parent through a pipe that exec closes.
struct StartFailure {
  enum class Step : int { cgroup, mounts, descriptors, exec };
  Step step;
  int error;
};

[[noreturn]] void give_up(int pipe, StartFailure::Step step) {
  const StartFailure failure{step, errno};
  [[maybe_unused]] const auto written = ::write(pipe, &failure, sizeof failure);
  ::_exit(127);
}

bool join_cgroup(const std::string& directory) {
  const int fd = ::open((directory + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC);
  return fd >= 0 && ::write(fd, "0", 1) == 1;  // 0: the writer
}

bool replace_hosts(const std::string& file) {
  return ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) == 0 &&
         ::mount(file.c_str(), "/etc/hosts", nullptr, MS_BIND, nullptr) == 0;
}

bool redirect(int from, int to) { return from < 0 || ::dup2(from, to) == to; }

void reset_signals() {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) ::signal(number, SIG_DFL);
}

[[noreturn]] void become(const ProcessSpec& spec, pid_t parent, int pipe) {
  reset_signals();
  if (spec.is_own_group) ::setpgid(0, 0);
  if (spec.ends_with_us) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(127);  // it died before the line above
  }
  if (!spec.cgroup.empty() && !join_cgroup(spec.cgroup)) give_up(pipe, StartFailure::Step::cgroup);
  if (!spec.hosts_file.empty() && !replace_hosts(spec.hosts_file)) give_up(pipe, StartFailure::Step::mounts);
  if (!redirect(spec.stdin_fd, 0) || !redirect(spec.stdout_fd, 1) || !redirect(spec.stderr_fd, 2)) {
    give_up(pipe, StartFailure::Step::descriptors);
  }
  for (const auto& [name, value] : spec.environment) ::setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> arguments;
  for (const auto& argument : spec.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  ::execvp(arguments.front(), arguments.data());
  give_up(pipe, StartFailure::Step::exec);
}

tl::unexpected<base::Error> explain(const StartFailure& failure, const ProcessSpec& spec) {
  switch (failure.step) {
    case StartFailure::Step::cgroup:
      return base::fail_errno("enter cgroup " + spec.cgroup, failure.error);
    case StartFailure::Step::mounts:
      return base::fail_errno("mount a private /etc/hosts", failure.error);
    case StartFailure::Step::descriptors:
      return base::fail_errno("redirect input and output", failure.error);
    case StartFailure::Step::exec:
      break;
  }
  return base::fail_errno("start " + spec.arguments.front(), failure.error);
}

}  // namespace

base::Result<Process> Process::start(const ProcessSpec& spec) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return base::fail_errno("pipe2");
  base::UniqueFd reading(ends[0]);
  base::UniqueFd writing(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return base::fail_errno("fork");
  if (pid == 0) become(spec, parent, writing.get());
  writing.reset();
  // The process exists and is our child, so its number cannot have been given to another.
  Process process(pid, base::UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))));
  StartFailure failure{};
  ssize_t count = 0;
  do {
    count = ::read(reading.get(), &failure, sizeof failure);
  } while (count < 0 && errno == EINTR);
  if (count == sizeof failure) {
    process.reap(0);
    return explain(failure, spec);
  }
  return process;
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      exit_code_(std::exchange(other.exit_code_, std::nullopt)) {}

Process& Process::operator=(Process&& other) noexcept {
  if (this != &other) {
    stop(std::chrono::seconds(1));
    pid_ = std::exchange(other.pid_, -1);
    pidfd_ = std::move(other.pidfd_);
    exit_code_ = std::exchange(other.exit_code_, std::nullopt);
  }
  return *this;
}

Process::~Process() { stop(std::chrono::seconds(1)); }

void Process::reap(int options) {
  if (pid_ < 0 || exit_code_) return;
  int status = 0;
  pid_t ended = 0;
  do {
    ended = ::waitpid(pid_, &status, options);
  } while (ended < 0 && errno == EINTR);
  if (ended == pid_) exit_code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool Process::is_running() {
  reap(WNOHANG);
  return pid_ >= 0 && !exit_code_;
}

void Process::signal(int number) const {
  if (pid_ >= 0 && !exit_code_) ::kill(pid_, number);
}

std::optional<int> Process::wait(base::TimePoint deadline) {
  while (is_running()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - base::now()).count();
    if (left <= 0) return std::nullopt;
    pollfd entry{pidfd_.get(), POLLIN, 0};
    ::poll(&entry, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
  }
  return exit_code_;
}

void Process::stop(std::chrono::nanoseconds grace) {
  if (!is_running()) return;
  signal(SIGTERM);
  if (wait(base::now() + grace)) return;
  signal(SIGKILL);
  reap(0);
}

}  // namespace cli
