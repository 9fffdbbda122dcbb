#include "config/source_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>

#include "base/unique_fd.h"
#include "config/yaml/parse.h"

namespace config {
namespace {

namespace fs = std::filesystem;

SourceFile unreadable(const std::string& path, int error) {
  return {.name = path, .problem = "cannot be read: " + std::string(std::strerror(error))};
}

// Nothing when there is no such file. At most as much as a document may have, and a little more, so that the parser
// refuses it: the rest of a huge file stays on the disk.
std::optional<SourceFile> read_file(const std::string& path) {
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd) return unreadable(path, errno);
  SourceFile file{.name = path};
  struct stat status{};
  if (::fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode)) {
    file.text.reserve(std::min(static_cast<std::size_t>(status.st_size), yaml::Limits().max_file_bytes + 1));
  }
  std::array<char, 64 * 1024> chunk{};
  while (file.text.size() <= yaml::Limits().max_file_bytes) {
    const ssize_t size = ::read(fd.get(), chunk.data(), chunk.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return unreadable(path, errno);
    if (size == 0) break;
    file.text.append(chunk.data(), static_cast<std::size_t>(size));
  }
  return file;
}

}  // namespace

bool is_document_name(std::string_view name) {
  return !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml"));
}

std::vector<SourceFile> read_source_files(std::span<const std::string> paths) {
  std::vector<SourceFile> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      auto file = read_file(path);
      files.push_back(file ? std::move(*file)
                           : SourceFile{.name = path,
                                        .problem = "no such file or folder; -f takes YAML files and "
                                                   "folders of them"});
      continue;
    }
    std::vector<std::string> found;
    fs::directory_iterator entry(path, error);
    for (const fs::directory_iterator end; !error && entry != end; entry.increment(error)) {
      std::error_code ignored;
      if (is_document_name(entry->path().filename().string()) && !entry->is_directory(ignored)) {
        found.push_back(entry->path());
      }
    }
    if (error) files.push_back(unreadable(path, error.value()));
    std::sort(found.begin(), found.end());
    for (const std::string& each : found) {
      if (auto file = read_file(each)) files.push_back(std::move(*file));
    }
  }
  return files;
}

}  // namespace config
