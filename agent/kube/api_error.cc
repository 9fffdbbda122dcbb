#include "agent/kube/api_error.h"

#include <boost/json/parse.hpp>

#include "base/utf8.h"

namespace agent::kube {
namespace {

constexpr std::size_t kMaxMessageBytes = 500;

std::string text_of(const boost::json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  const auto* text = value != nullptr ? value->if_string() : nullptr;
  return text != nullptr ? printable(*text) : std::string();
}

}  // namespace

std::string printable(std::string_view text) {
  if (text.size() > kMaxMessageBytes) text = text.substr(0, kMaxMessageBytes);
  std::string line(text.substr(0, base::utf8_prefix(text)));
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  }
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

ApiError refusal(unsigned status, std::string_view body) {
  ApiError error{.kind = ApiError::Kind::refused, .status = status};
  boost::system::error_code ignored;
  const auto value = boost::json::parse(body, ignored);
  if (const auto* object = value.if_object()) {
    error.reason = text_of(*object, "reason");
    error.message = text_of(*object, "message");
    if (const auto* details = object->if_contains("details"); details != nullptr && details->is_object()) {
      const auto* seconds = details->get_object().if_contains("retryAfterSeconds");
      if (seconds != nullptr && seconds->is_int64() && seconds->get_int64() > 0) {
        error.retry_after = std::chrono::seconds(std::min<std::int64_t>(seconds->get_int64(), 3600));
      }
    }
  } else {
    error.message = printable(body);  // of a load balancer in between, or of an API server that is starting
  }
  error.message = "HTTP " + std::to_string(status) + (error.message.empty() ? "" : ": " + error.message);
  return error;
}

}  // namespace agent::kube
