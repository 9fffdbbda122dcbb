#pragma once

#include <memory>
#include <utility>
#include <vector>

namespace proxy::engine {

// Objects of one worker that are used again instead of being freed. T is built once with the pool's arguments;
// whoever gives it back has reset it.
template <typename T>
class ObjectPool {
 public:
  template <typename... Args>
  T& take(Args&&... args) {
    if (free_.empty()) {
      all_.push_back(std::make_unique<T>(std::forward<Args>(args)...));
      return *all_.back();
    }
    T* object = free_.back();
    free_.pop_back();
    return *object;
  }
  void give_back(T& object) { free_.push_back(&object); }

  [[nodiscard]] std::size_t in_use() const { return all_.size() - free_.size(); }
  [[nodiscard]] const std::vector<std::unique_ptr<T>>& all() const { return all_; }

 private:
  std::vector<std::unique_ptr<T>> all_;
  std::vector<T*> free_;
};

}  // namespace proxy::engine
