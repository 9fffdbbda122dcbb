#include "agent/pods/cgroup_tree.h"

#include <dirent.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>

namespace agent {

base::Result<CgroupTree> CgroupTree::open(std::string mount) {
  CgroupTree tree;
  tree.mount_ = std::move(mount);
  tree.watch_.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!tree.watch_) return base::fail_errno("inotify_init");
  if (::inotify_add_watch(tree.watch_.get(), tree.mount_.c_str(), IN_CREATE | IN_DELETE | IN_ONLYDIR) < 0) {
    return base::fail_errno("watch " + tree.mount_);
  }
  return tree;
}

bool CgroupTree::take_changes() {
  alignas(inotify_event) std::array<char, 16 * 1024> events;
  bool has_changed = false;
  for (ssize_t size = 0; (size = ::read(watch_.get(), events.data(), events.size())) > 0;) {
    for (ssize_t at = 0; at < size;) {
      const auto* const event = reinterpret_cast<const inotify_event*>(events.data() + at);
      has_changed = has_changed || (event->mask & (IN_ISDIR | IN_Q_OVERFLOW)) != 0;
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
  }
  return has_changed;
}

std::vector<std::string> CgroupTree::list() {
  std::vector<std::string> found;
  visit("", found);
  return found;
}

// Watched before it is read: a cgroup that comes in between is found, or is an event.
void CgroupTree::visit(const std::string& path, std::vector<std::string>& found) {
  const std::string folder = mount_ + path;
  ::inotify_add_watch(watch_.get(), folder.c_str(), IN_CREATE | IN_DELETE | IN_ONLYDIR);
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), ::closedir);
  if (!open) return;  // gone meanwhile
  std::vector<std::string> children;
  while (const dirent* entry = ::readdir(open.get())) {
    const std::string_view name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") children.push_back(path + "/" + std::string(name));
  }
  std::sort(children.begin(), children.end());
  for (const std::string& child : children) {
    found.push_back(child);
    visit(child, found);
  }
}

}  // namespace agent
