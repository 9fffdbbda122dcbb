#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "proxy/upstream/shared_backend.h"

namespace proxy::upstream {

// What all workers know together about one source pod. Lives as long as some worker serves the pod.
class SharedPod {
 public:
  explicit SharedPod(std::uint32_t id) : id_(id) {}

  [[nodiscard]] std::uint32_t id() const { return id_; }
  // Made on first use and kept as long as the pod: an idle backend must not lose its ejections.
  std::shared_ptr<SharedBackend> backend(const std::string& name);

  struct Entry {
    std::string name;
    std::shared_ptr<SharedBackend> backend;
  };
  [[nodiscard]] std::vector<Entry> backends() const;

  std::atomic<std::uint32_t> connections{0};  // downstream
  std::atomic<std::uint64_t> buffered_bytes{0};

 private:
  const std::uint32_t id_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<SharedBackend>> backends_;
};

// All pods of a node, by id. Any thread.
class SharedPods {
 public:
  std::shared_ptr<SharedPod> find_or_make(std::uint32_t id);
  // Those that are served now.
  [[nodiscard]] std::vector<std::shared_ptr<SharedPod>> list() const;

  std::atomic<std::uint64_t> buffered_bytes{0};  // of all pods

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::uint32_t, std::weak_ptr<SharedPod>> pods_;
};

}  // namespace proxy::upstream
