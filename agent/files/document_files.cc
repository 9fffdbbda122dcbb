#include "agent/files/document_files.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>

namespace agent {
namespace {

namespace fs = std::filesystem;

std::string folder_of(const fs::path& path) {
  const fs::path folder = path.parent_path();
  return folder.empty() ? "." : folder.string();
}

// "documents/" is the folder documents.
fs::path without_slash(const std::string& path) {
  const fs::path plain(path);
  return plain.has_filename() ? plain : plain.parent_path();
}

}  // namespace

base::Result<DocumentFiles> DocumentFiles::open(std::vector<std::string> paths) {
  DocumentFiles files;
  files.paths_ = std::move(paths);
  for (const std::string& path : files.paths_) {
    std::error_code error;
    if (fs::exists(path, error)) continue;
    return base::fail(base::Errc::not_found,
                      path + ": no such file or folder; -f takes YAML files and folders of them");
  }
  files.watch_.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!files.watch_) return base::fail_errno("inotify_init1");
  files.watch_all();
  return files;
}

// Always a folder is watched: a file that is replaced has another inode, but its folder stays. A folder may be replaced
// too, so the one above it is watched for its name.
void DocumentFiles::watch_all() {
  for (const std::string& path : paths_) {
    const fs::path named = without_slash(path);
    std::error_code error;
    if (!fs::is_directory(named, error)) {
      watch(folder_of(named), "");
      watch_target(named);
      continue;
    }
    watch(named, "");
    if (named.has_filename()) watch(folder_of(named), named.filename());
    watch_target(named);
    fs::directory_iterator entry(named, error);
    for (const fs::directory_iterator end; !error && entry != end; entry.increment(error)) {
      if (config::is_document_name(entry->path().filename().string())) watch_target(entry->path());
    }
  }
}

// Of a symbolic link, what it leads to may change where it is.
void DocumentFiles::watch_target(const std::string& path) {
  std::error_code error;
  if (!fs::is_symlink(path, error)) return;
  const fs::path target = fs::canonical(path, error);
  if (!error) watch(folder_of(target), target.filename());
}

void DocumentFiles::watch(const std::string& folder, const std::string& name) {
  constexpr std::uint32_t kEvents =
      IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
  const int descriptor = ::inotify_add_watch(watch_.get(), folder.c_str(), kEvents);
  if (descriptor < 0) return;  // gone, or not for us to see: reading says so
  auto& names = names_[descriptor];
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

bool DocumentFiles::take_changes() {
  alignas(inotify_event) std::array<char, 16 * 1024> events;
  bool has_changed = false;
  for (ssize_t size = 0; (size = ::read(watch_.get(), events.data(), events.size())) > 0;) {
    for (const char* at = events.data(); at < events.data() + size;) {
      inotify_event event{};
      std::memcpy(&event, at, sizeof event);
      const std::string name = event.len > 0 ? at + sizeof event : "";
      at += sizeof event + event.len;
      const auto& names = names_[event.wd];
      has_changed =
          has_changed || event.wd < 0 ||
          std::any_of(names.begin(), names.end(), [&](const auto& each) { return each.empty() || each == name; });
      if ((event.mask & IN_IGNORED) != 0) names_.erase(event.wd);
    }
  }
  if (has_changed) watch_all();
  return has_changed;
}

}  // namespace agent
