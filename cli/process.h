#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace cli {

// How to start a program. Descriptors of -1 are inherited.
struct ProcessSpec {
  std::vector<std::string> arguments;                              // the first is looked up in PATH
  std::vector<std::pair<std::string, std::string>> environment{};  // added to ours
  int stdin_fd = -1, stdout_fd = -1, stderr_fd = -1;
  std::string cgroup{};       // directory of a cgroup2 to run in
  std::string hosts_file{};   // takes the place of /etc/hosts, for this process and its children only
  bool is_own_group = false;  // Ctrl-C on the terminal does not reach it
  bool ends_with_us = false;  // SIGTERM when we die, whatever kills us
};

// A child process. The destructor ends it: nothing that was started may be left behind.
class Process {
 public:
  // Fails when the program cannot be started: not_found when there is none of that name, permission when it may not be
  // run or a privilege is missing.
  static base::Result<Process> start(const ProcessSpec& spec);

  Process() = default;
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process();

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool is_running();
  // Readable when the process has ended.
  [[nodiscard]] int pidfd() const { return pidfd_.get(); }
  void signal(int number) const;
  // The exit code, or 128 and the number of the signal that ended it; nullopt when it still runs at the deadline.
  std::optional<int> wait(base::TimePoint deadline);
  // SIGTERM, after `grace` SIGKILL; then waits for the end.
  void stop(std::chrono::nanoseconds grace);

 private:
  Process(pid_t pid, base::UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  void reap(int options);

  pid_t pid_ = -1;
  base::UniqueFd pidfd_;
  std::optional<int> exit_code_;
};

}  // namespace cli
