#include "proxy/upstream/shared_pod.h"

namespace proxy::upstream {

std::shared_ptr<SharedBackend> SharedPod::backend(const std::string& name) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<SharedBackend>& backend = backends_[name];
  if (!backend) backend = std::make_shared<SharedBackend>();
  return backend;
}

std::vector<SharedPod::Entry> SharedPod::backends() const {
  const std::lock_guard lock(mutex_);
  std::vector<Entry> entries;
  entries.reserve(backends_.size());
  for (const auto& [name, backend] : backends_) entries.push_back({name, backend});
  return entries;
}

std::shared_ptr<SharedPod> SharedPods::find_or_make(std::uint32_t id) {
  const std::lock_guard lock(mutex_);
  if (auto known = pods_[id].lock()) return known;
  std::erase_if(pods_, [](const auto& entry) { return entry.second.expired(); });
  auto made = std::make_shared<SharedPod>(id);
  pods_[id] = made;
  return made;
}

std::vector<std::shared_ptr<SharedPod>> SharedPods::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<SharedPod>> pods;
  pods.reserve(pods_.size());
  for (const auto& [id, weak] : pods_) {
    if (auto pod = weak.lock()) pods.push_back(std::move(pod));
  }
  return pods;
}

}  // namespace proxy::upstream
