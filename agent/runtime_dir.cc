#include "agent/runtime_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>

namespace agent {

base::Result<RuntimeDir> RuntimeDir::claim(std::string path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return base::fail_errno("make the runtime folder " + path, error.value());
  // A proxy that was left behind finds its way back through it, as its own user.
  std::filesystem::permissions(path, std::filesystem::perms(0755), error);
  RuntimeDir folder;
  folder.path_ = std::move(path);
  const std::string file = folder.path_ + "/agent.lock";
  folder.lock_.reset(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!folder.lock_) return base::fail_errno("open " + file);
  struct stat status{};
  if (::flock(folder.lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    std::array<char, 16> pid{};
    const ssize_t size = ::read(folder.lock_.get(), pid.data(), pid.size());
    return base::fail(base::Errc::unavailable,
                      "another agent is running (pid " +
                          std::string(pid.data(), size > 0 ? static_cast<std::size_t>(size) : 0) +
                          "); one agent serves a host: stop it first, or use --no-bpf for a trial beside it");
  }
  // An agent that ended meanwhile took the file with it: then this lock keeps nobody away.
  if (::fstat(folder.lock_.get(), &status) == 0 && status.st_nlink == 0) return claim(std::move(folder.path_));
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(folder.lock_.get(), 0) != 0 || ::write(folder.lock_.get(), pid.data(), pid.size()) < 0) {
    return base::fail_errno("write " + file);
  }
  return folder;
}

void RuntimeDir::remove() {
  ::unlink((path_ + "/agent.lock").c_str());
  ::rmdir(path_.c_str());
  lock_.reset();
}

}  // namespace agent
