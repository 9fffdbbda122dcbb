#include "cli/cluster/json_fields.h"

namespace cli::cluster {

namespace json = boost::json;

base::Result<json::value> parse(std::string_view text) {
  json::error_code error;
  json::value value = json::parse(text, error);
  if (error || !value.is_object()) {
    return base::fail(base::Errc::io, "the answer is not a JSON object; is it a Kubernetes API server?");
  }
  return value;
}

std::string text(const json::value* value) {
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::uint64_t number(const json::value* value) {
  if (value == nullptr) return 0;
  if (value->is_uint64()) return value->get_uint64();
  return value->is_int64() && value->get_int64() > 0 ? static_cast<std::uint64_t>(value->get_int64()) : 0;
}

bool truth(const json::value* value) { return value != nullptr && value->is_bool() && value->get_bool(); }

const json::array& items(const json::value* value) {
  static const json::array kNone;
  return value != nullptr && value->is_array() ? value->get_array() : kNone;
}

}  // namespace cli::cluster
