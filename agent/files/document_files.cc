#include "agent/files/document_files.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace agent {
namespace {

namespace fs = std::filesystem;

bool is_document(const fs::path& path) {
  const std::string name = path.filename().string();
  return !name.starts_with('.') && (path.extension() == ".yaml" || path.extension() == ".yml");
}

base::Result<config::SourceFile> read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    // An empty file sets failbit too, and is no error.
    std::error_code error;
    if (!file.is_open() || fs::file_size(path, error) != 0) return base::fail_errno("read " + path.string());
  }
  return config::SourceFile{path.string(), text.str()};
}

}  // namespace

base::Result<DocumentFiles> DocumentFiles::open(std::vector<std::string> paths) {
  DocumentFiles files;
  files.paths_ = std::move(paths);
  files.watch_.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!files.watch_) return base::fail_errno("inotify_init1");
  for (const std::string& path : files.paths_) {
    if (auto watched = files.watch(path); !watched) return tl::unexpected(watched.error());
  }
  return files;
}

// Always a folder is watched: a file that is replaced has another inode, but its folder stays.
base::Result<> DocumentFiles::watch(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (error || !fs::exists(status)) {
    return base::fail(base::Errc::not_found,
                      path + ": no such file or folder; -f takes YAML files and folders of them");
  }
  fs::path folder = fs::is_directory(status) ? fs::path(path) : fs::path(path).parent_path();
  if (folder.empty()) folder = ".";
  constexpr std::uint32_t kEvents =
      IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_DELETE_SELF;
  if (::inotify_add_watch(watch_.get(), folder.c_str(), kEvents) < 0)
    return base::fail_errno("watch " + folder.string());
  return {};
}

base::Result<std::vector<config::SourceFile>> DocumentFiles::read() const {
  std::vector<config::SourceFile> files;
  for (const std::string& path : paths_) {
    std::error_code error;
    std::vector<fs::path> found;
    if (fs::is_directory(path, error)) {
      for (const fs::directory_entry& entry : fs::directory_iterator(path, error)) {
        if (is_document(entry.path()) && entry.is_regular_file(error)) found.push_back(entry.path());
      }
      std::sort(found.begin(), found.end());
    } else if (fs::exists(path, error)) {
      found.emplace_back(path);
    }
    for (const fs::path& each : found) {
      auto file = read_file(each);
      if (!file) return tl::unexpected(file.error());
      files.push_back(std::move(*file));
    }
  }
  return files;
}

bool DocumentFiles::take_changes() {
  alignas(inotify_event) std::array<char, 16 * 1024> events;
  bool has_changed = false;
  while (::read(watch_.get(), events.data(), events.size()) > 0) has_changed = true;
  return has_changed;
}

}  // namespace agent
