#include "cli/demo/temporary_directory.h"

#include <cstdlib>
#include <filesystem>
#include <utility>

namespace cli::demo {

base::Result<TemporaryDirectory> TemporaryDirectory::create(std::string_view prefix) {
  std::error_code error;
  auto parent = std::filesystem::temp_directory_path(error);
  if (error) parent = "/tmp";
  std::string path = parent / (std::string(prefix) + "-XXXXXX");
  if (::mkdtemp(path.data()) == nullptr) return base::fail_errno("create " + path);
  return TemporaryDirectory(std::move(path));
}

TemporaryDirectory::TemporaryDirectory(TemporaryDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace cli::demo
