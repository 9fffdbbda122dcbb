#include "agent/proxy_supervisor/process.h"

#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <utility>
#include <vector>

#include "base/clock.h"

extern char** environ;

namespace agent {
namespace {

namespace asio = boost::asio;
using base::Result;

constexpr std::chrono::milliseconds kEndPoll{5};

std::string pid_file(const std::string& socket_path) { return socket_path + ".proxy"; }

}  // namespace

// One that has ended and is not reaped yet still has a name, but no command line.
bool is_proxy_process(pid_t pid) {
  const std::string process = "/proc/" + std::to_string(pid);
  std::ifstream comm(process + "/comm"), command_line(process + "/cmdline");
  std::string name;
  return std::getline(comm, name) && name == "fairlead-proxy" &&
         command_line.get() != std::ifstream::traits_type::eof();
}

ProxyProcess::ProxyProcess(asio::io_context& context, Command command, std::function<void(pid_t, std::string)> ended)
    : context_(context), command_(std::move(command)), ended_(std::move(ended)) {}

pid_t ProxyProcess::earlier() const {
  std::ifstream file(pid_file(command_.socket_path));
  pid_t pid = 0;
  return file >> pid && pid > 1 && is_proxy_process(pid) ? pid : 0;
}

Result<> ProxyProcess::start() {
  std::string name = "fairlead-proxy", option = "--agent-socket", path = command_.socket_path,
              end = "--ends-with-agent";
  std::vector<char*> arguments = {name.data(), option.data(), path.data()};
  if (command_.ends_with_agent) arguments.push_back(end.data());
  arguments.push_back(nullptr);
  // Nothing of ours: not even what a library has opened without O_CLOEXEC, such as the admin endpoint's socket.
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  // A group of its own: Ctrl-C in a terminal is for the agent, which then ends the proxy in order.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, command_.program.c_str(), &actions, &attributes, arguments.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return base::fail_errno("start " + command_.program, error);
  if (auto placed = command_.place(pid); !placed) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return placed;
  }
  pid_ = pid;
  is_child_ = true;
  std::ofstream(pid_file(command_.socket_path)) << pid << '\n';
  watch();
  return {};
}

void ProxyProcess::watch(pid_t pid) {
  pid_ = pid;
  is_child_ = false;
  watch();
}

// The kernel says when the process ends, whether it is our child or was adopted.
void ProxyProcess::watch() {
  if (pid_ == 0) return;
  const auto pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  if (pidfd < 0) {
    on_end();
    return;
  }
  pidfd_ = std::make_unique<asio::posix::stream_descriptor>(context_, pidfd);
  pidfd_->async_wait(asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
    if (!error) on_end();
  });
}

void ProxyProcess::on_end() {
  pidfd_.reset();
  int status = 0;
  if (is_child_) ::waitpid(pid_, &status, 0);
  ended_(std::exchange(pid_, 0), WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                                     : "exit code " + std::to_string(WEXITSTATUS(status)));
}

void ProxyProcess::signal(int number) const {
  if (pid_ != 0) ::kill(pid_, number);
}

void ProxyProcess::end_within(std::chrono::milliseconds limit) {
  if (pid_ == 0) return;
  const base::TimePoint deadline = base::now() + limit;
  const auto has_ended = [this] {
    if (is_child_) return ::waitpid(pid_, nullptr, WNOHANG) == pid_;
    return ::kill(pid_, 0) != 0;
  };
  while (!has_ended()) {
    if (base::now() >= deadline) {
      ::kill(pid_, SIGKILL);
      if (is_child_) ::waitpid(pid_, nullptr, 0);
      break;
    }
    ::usleep(static_cast<useconds_t>(std::chrono::microseconds(kEndPoll).count()));
  }
  pidfd_.reset();
  pid_ = 0;
}

void ProxyProcess::forget() const { ::unlink(pid_file(command_.socket_path).c_str()); }

}  // namespace agent
