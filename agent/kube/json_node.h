#pragma once

#include <array>
#include <boost/json/fwd.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/socket_address.h"

namespace agent::kube {

// What was found wrong with one object: the first of it.
class Complaint {
 public:
  void add(std::string message) {
    if (message_.empty()) message_ = std::move(message);
  }
  [[nodiscard]] const std::string& message() const { return message_; }

 private:
  std::string message_;
};

// A value of an object and where it stands in it. Reading never fails: what is absent or null reads as the fallback,
// and so does what has another type, is out of range or is too large, but that is a complaint.
class JsonNode {
 public:
  JsonNode(const boost::json::object& root, Complaint& complaint);

  explicit operator bool() const { return value_ != nullptr; }
  // REQUIRES: `key` outlives the node.
  [[nodiscard]] JsonNode operator[](std::string_view key) const;

  [[nodiscard]] std::string text() const;
  [[nodiscard]] bool boolean(bool fallback = false) const;
  [[nodiscard]] std::int64_t integer(std::int64_t lowest, std::int64_t highest) const;  // 0 when absent
  [[nodiscard]] std::optional<std::string> if_text() const;                             // without a complaint
  [[nodiscard]] std::optional<base::IpAddress> address() const;
  [[nodiscard]] std::vector<base::IpAddress> addresses() const;
  // Those whose key `is_wanted`.
  [[nodiscard]] std::map<std::string, std::string, std::less<>> text_map(bool (*is_wanted)(std::string_view)) const;

  // Each item of a list.
  template <typename Function>
  void each(const Function& function) const {
    const std::size_t count = size();
    for (std::size_t i = 0; i < count; ++i) function(at(i));
  }

  static constexpr std::size_t kMaxItems = 20'000;  // of a list or map; the API's own largest limit
  static constexpr std::size_t kMaxTextBytes = std::size_t{64} * 1024;

 private:
  struct Step {
    std::string_view key;  // empty: `index` of a list
    std::size_t index = 0;
  };
  static constexpr std::size_t kMaxDepth = 8;

  [[nodiscard]] JsonNode child(const boost::json::value* value, Step step) const;
  [[nodiscard]] JsonNode at(std::size_t index) const;
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] bool fits(std::size_t size, std::size_t limit, std::string_view what) const;
  [[nodiscard]] std::string path() const;
  void complain(std::string_view what) const;

  const boost::json::object* root_ = nullptr;  // until the first step
  const boost::json::value* value_ = nullptr;
  Complaint* complaint_;
  std::array<Step, kMaxDepth> steps_{};
  std::size_t depth_ = 0;
};

}  // namespace agent::kube
