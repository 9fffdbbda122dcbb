#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace agent {

// The folder of one agent: its socket, its proxy's process number, and the lock that keeps a second agent away. The
// lock ends with the process, however that ends.
class RuntimeDir {
 public:
  // Makes the folder when it is missing. Errc::unavailable: another agent has it; the message names its process.
  static base::Result<RuntimeDir> claim(std::string path);

  // When nothing of this agent is left that needs it. What others have put there stays.
  void remove();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string socket() const { return path_ + "/agent.sock"; }

 private:
  std::string path_;
  base::UniqueFd lock_;
};

}  // namespace agent
