#pragma once

#include <boost/iterator/indirect_iterator.hpp>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace config {

// A list whose elements do not change. Copies share them, so a copy of thousands of documents costs next to nothing.
template <typename T>
class SharedList {
  using Elements = std::vector<std::shared_ptr<const T>>;

 public:
  using value_type = T;
  using const_reference = const T&;
  using const_iterator = boost::indirect_iterator<typename Elements::const_iterator>;
  using iterator = const_iterator;

  void push_back(std::shared_ptr<const T> element) { elements_.push_back(std::move(element)); }
  void push_back(T element) { push_back(std::make_shared<const T>(std::move(element))); }
  void append(const SharedList& more) {
    elements_.insert(elements_.end(), more.elements_.begin(), more.elements_.end());
  }

  [[nodiscard]] std::size_t size() const { return elements_.size(); }
  [[nodiscard]] bool empty() const { return elements_.empty(); }
  [[nodiscard]] const T& operator[](std::size_t index) const { return *elements_[index]; }
  [[nodiscard]] const T& at(std::size_t index) const { return *elements_.at(index); }
  [[nodiscard]] const_iterator begin() const { return const_iterator(elements_.begin()); }
  [[nodiscard]] const_iterator end() const { return const_iterator(elements_.end()); }

 private:
  Elements elements_;
};

}  // namespace config
