#include "agent/kube/json_node.h"

#include <boost/json.hpp>

#include "agent/kube/api_error.h"

namespace agent::kube {

namespace json = boost::json;

JsonNode::JsonNode(const json::object& root, Complaint& complaint) : root_(&root), complaint_(&complaint) {}

JsonNode JsonNode::child(const json::value* value, Step step) const {
  JsonNode node = *this;
  node.root_ = nullptr;
  node.value_ = value != nullptr && !value->is_null() ? value : nullptr;
  if (depth_ < kMaxDepth) node.steps_[node.depth_++] = step;
  return node;
}

JsonNode JsonNode::operator[](std::string_view key) const {
  const json::object* object = root_;
  if (value_ != nullptr) {
    object = value_->if_object();
    if (object == nullptr) complain("is not an object");
  }
  return child(object != nullptr ? object->if_contains(key) : nullptr, {.key = key});
}

JsonNode JsonNode::at(std::size_t index) const { return child(&value_->get_array()[index], {.index = index}); }

std::string JsonNode::path() const {
  std::string path;
  for (std::size_t i = 0; i < depth_; ++i) {
    const Step& step = steps_[i];
    if (step.key.empty()) {
      path += "[" + std::to_string(step.index) + "]";
    } else {
      path += (path.empty() ? "" : ".") + std::string(step.key);
    }
  }
  return path;
}

void JsonNode::complain(std::string_view what) const { complaint_->add(path() + " " + std::string(what)); }

bool JsonNode::fits(std::size_t size, std::size_t limit, std::string_view what) const {
  if (size <= limit) return true;
  complain("has " + std::to_string(size) + " " + std::string(what) + ", more than " + std::to_string(limit));
  return false;
}

std::optional<std::string> JsonNode::if_text() const {
  const json::string* text = value_ != nullptr ? value_->if_string() : nullptr;
  if (text == nullptr || !fits(text->size(), kMaxTextBytes, "bytes")) return std::nullopt;
  return std::string(*text);
}

std::string JsonNode::text() const {
  if (value_ != nullptr && !value_->is_string()) complain("is not text");
  return if_text().value_or("");
}

bool JsonNode::boolean(bool fallback) const {
  if (value_ == nullptr) return fallback;
  if (const bool* found = value_->if_bool()) return *found;
  complain("is neither true nor false");
  return fallback;
}

std::int64_t JsonNode::integer(std::int64_t lowest, std::int64_t highest) const {
  if (value_ == nullptr) return 0;
  const std::int64_t* found = value_->if_int64();
  if (found != nullptr && *found >= lowest && *found <= highest) return *found;
  complain("is not a whole number from " + std::to_string(lowest) + " to " + std::to_string(highest));
  return 0;
}

std::optional<base::IpAddress> JsonNode::address() const {
  const std::string text = this->text();
  if (text.empty()) return std::nullopt;
  if (auto parsed = base::IpAddress::parse(text)) return *parsed;
  complain('"' + printable(text) + "\" is not an IP address");
  return std::nullopt;
}

std::size_t JsonNode::size() const {
  if (value_ == nullptr) return 0;
  const json::array* list = value_->if_array();
  if (list == nullptr) complain("is not a list");
  return list != nullptr && fits(list->size(), kMaxItems, "items") ? list->size() : 0;
}

std::vector<base::IpAddress> JsonNode::addresses() const {
  std::vector<base::IpAddress> addresses;
  each([&](const JsonNode& item) {
    if (const auto address = item.address()) addresses.push_back(*address);
  });
  return addresses;
}

std::map<std::string, std::string, std::less<>> JsonNode::text_map(bool (*is_wanted)(std::string_view)) const {
  std::map<std::string, std::string, std::less<>> map;
  if (value_ == nullptr) return map;
  const json::object* object = value_->if_object();
  if (object == nullptr) complain("is not an object");
  if (object == nullptr || !fits(object->size(), kMaxItems, "entries")) return map;
  for (const auto& [key, value] : *object) {
    const std::string_view name(key.data(), key.size());
    if (is_wanted(name)) map.emplace(name, child(&value, {.key = name}).text());
  }
  return map;
}

}  // namespace agent::kube
