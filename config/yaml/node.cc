#include "config/yaml/node.h"

#include <charconv>
#include <cmath>

#include "config/yaml/duration.h"

namespace config::yaml {

std::optional<std::int64_t> read_integer(const Value& value) {
  if (value.kind != Value::Kind::scalar || value.scalar_type() != ScalarType::integer) return std::nullopt;
  std::string_view text = value.text;
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  int base = 10;
  if (text.starts_with("0x")) base = 16;
  if (text.starts_with("0o")) base = 8;
  if (base != 10) text.remove_prefix(2);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return is_negative ? -number : number;
}

std::optional<double> read_number(const Value& value) {
  if (const auto whole = read_integer(value)) return static_cast<double>(*whole);
  if (value.kind != Value::Kind::scalar || value.scalar_type() == ScalarType::text) return std::nullopt;
  std::string_view text = value.text;
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

std::optional<bool> read_boolean(const Value& value) {
  if (value.kind != Value::Kind::scalar || value.is_quoted) return std::nullopt;
  if (value.text == "true" || value.text == "True" || value.text == "TRUE") return true;
  if (value.text == "false" || value.text == "False" || value.text == "FALSE") return false;
  return std::nullopt;
}

Node Node::operator[](std::string_view key) const {
  Node child;
  child.path_ = path_.empty() ? std::string(key) : path_ + "." + std::string(key);
  child.mark_ = mark_;
  if (value_ != nullptr) child.value_ = value_->find(key);
  if (child.value_ != nullptr) child.mark_ = child.value_->mark;
  return child;
}

Node Node::at(std::size_t index) const {
  Node child;
  child.path_ = path_ + "[" + std::to_string(index) + "]";
  child.mark_ = mark_;
  if (value_ != nullptr && index < value_->items.size()) {
    child.value_ = &value_->items[index];
    child.mark_ = child.value_->mark;
  }
  return child;
}

std::vector<Node> Node::items() const {
  std::vector<Node> nodes;
  if (value_ == nullptr) return nodes;
  nodes.reserve(value_->items.size());
  for (std::size_t i = 0; i < value_->items.size(); ++i) nodes.push_back(at(i));
  return nodes;
}

std::vector<std::pair<std::string, Node>> Node::members() const {
  std::vector<std::pair<std::string, Node>> nodes;
  if (value_ == nullptr) return nodes;
  for (const Member& member : value_->members) {
    Node child;
    child.value_ = &member.value;
    child.mark_ = member.value.mark;
    child.path_ = path_.empty() ? member.key : path_ + "." + member.key;
    nodes.emplace_back(member.key, std::move(child));
  }
  return nodes;
}

std::string Node::text(std::string_view fallback) const {
  if (!*this || value_->kind != Value::Kind::scalar) return std::string(fallback);
  return value_->text;
}

std::int64_t Node::integer(std::int64_t fallback) const {
  return value_ == nullptr ? fallback : read_integer(*value_).value_or(fallback);
}

double Node::number(double fallback) const {
  return value_ == nullptr ? fallback : read_number(*value_).value_or(fallback);
}

bool Node::boolean(bool fallback) const {
  return value_ == nullptr ? fallback : read_boolean(*value_).value_or(fallback);
}

std::optional<std::chrono::milliseconds> Node::duration() const {
  if (!*this || value_->kind != Value::Kind::scalar) return std::nullopt;
  const auto parsed = parse_duration(value_->text);
  if (!parsed) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::milliseconds>(*parsed);
}

std::vector<std::string> Node::texts() const {
  std::vector<std::string> result;
  for (const Node& item : items()) result.push_back(item.text());
  return result;
}

std::map<std::string, std::string, std::less<>> Node::text_map() const {
  std::map<std::string, std::string, std::less<>> result;
  for (const auto& [key, node] : members()) result.emplace(key, node.text());
  return result;
}

void Report::add(Severity severity, Reason reason, std::string_view code, Mark mark, std::string path,
                 std::string message) {
  if (severity == Severity::error && ++errors_ > kMaxErrors) {
    if (errors_ > kMaxErrors + 1) return;
    path.clear();
    message = "and more errors from here on; correct these first";
  }
  Finding finding;
  finding.severity = severity;
  finding.reason = reason;
  finding.code = code;
  finding.document = document_;
  finding.file = file_;
  finding.line = mark.line;
  finding.column = mark.column;
  finding.path = std::move(path);
  finding.message = std::move(message);
  findings_.push_back(std::move(finding));
}

void Report::error(const Node& node, std::string message, Reason reason) {
  add(Severity::error, reason, kInvalidDocument, node.mark(), node.path(), std::move(message));
}

void Report::error_at(Mark mark, std::string path, std::string message, Reason reason) {
  add(Severity::error, reason, kInvalidDocument, mark, std::move(path), std::move(message));
}

void Report::warn(std::string_view code, const Node& node, std::string message) {
  add(Severity::warning, Reason::none, code, node.mark(), node.path(), std::move(message));
}

void Report::warn_at(std::string_view code, Mark mark, std::string path, std::string message) {
  add(Severity::warning, Reason::none, code, mark, std::move(path), std::move(message));
}

}  // namespace config::yaml
