#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/finding.h"
#include "config/yaml/value.h"

namespace config::yaml {

// A value and the path that led to it. Reading is forgiving, because `check` (schema.h) has refused what does not fit:
// a field that is absent, null or of another type reads as the given default.
class Node {
 public:
  Node() = default;  // absent
  explicit Node(const Value& root) : value_(&root), mark_(root.mark) {}

  // An explicit null counts as absent, as in Kubernetes.
  explicit operator bool() const { return value_ != nullptr && value_->kind != Value::Kind::null; }

  [[nodiscard]] Node operator[](std::string_view key) const;
  [[nodiscard]] Node at(std::size_t index) const;
  [[nodiscard]] std::vector<Node> items() const;                            // of a list
  [[nodiscard]] std::vector<std::pair<std::string, Node>> members() const;  // of a mapping

  [[nodiscard]] std::string text(std::string_view fallback = "") const;
  [[nodiscard]] std::int64_t integer(std::int64_t fallback = 0) const;
  [[nodiscard]] double number(double fallback = 0) const;
  [[nodiscard]] bool boolean(bool fallback = false) const;
  [[nodiscard]] std::optional<std::chrono::milliseconds> duration() const;
  [[nodiscard]] std::vector<std::string> texts() const;
  [[nodiscard]] std::map<std::string, std::string, std::less<>> text_map() const;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] Mark mark() const { return mark_; }
  [[nodiscard]] const Value* value() const { return value_; }

 private:
  friend class Report;
  const Value* value_ = nullptr;
  Mark mark_;  // of the value; for an absent field, of the mapping that lacks it
  std::string path_;
};

// Parsed as `schema.h` parses them; nullopt when `value` does not have that form or does not fit.
std::optional<std::int64_t> read_integer(const Value& value);
std::optional<double> read_number(const Value& value);
std::optional<bool> read_boolean(const Value& value);

// What was found in one document.
class Report {
 public:
  Report(std::string file, std::string document) : file_(std::move(file)), document_(std::move(document)) {}

  void error(const Node& node, std::string message, Reason reason = Reason::schema);
  void error_at(Mark mark, std::string path, std::string message, Reason reason = Reason::schema);
  void warn(std::string_view code, const Node& node, std::string message);
  void warn_at(std::string_view code, Mark mark, std::string path, std::string message);

  void set_document(std::string document) { document_ = std::move(document); }
  [[nodiscard]] bool has_errors() const { return errors_ > 0; }
  [[nodiscard]] const std::vector<Finding>& findings() const { return findings_; }
  [[nodiscard]] std::vector<Finding> take() { return std::move(findings_); }

 private:
  static constexpr std::size_t kMaxErrors = 50;  // one bad indent must not fill a log
  void add(Severity severity, Reason reason, std::string_view code, Mark mark, std::string path, std::string message);

  std::string file_;
  std::string document_;
  std::vector<Finding> findings_;
  std::size_t errors_ = 0;
};

}  // namespace config::yaml
