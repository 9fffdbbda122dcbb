#include "cli/demo/observations.h"

#include <algorithm>
#include <boost/json.hpp>

namespace cli::demo {
namespace {

namespace json = boost::json;

double number(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_number()) return 0;
  return value->to_number<double>();
}

std::string text(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

Call read_call(std::string_view name, const json::object& object) {
  Call call{std::string(name), static_cast<int>(number(object, "status")), number(object, "seconds"), {}};
  if (const auto* body = object.if_contains("body")) {
    call.body = body->is_string() ? std::string(body->get_string()) : json::serialize(*body);
  }
  return call;
}

}  // namespace

base::Result<std::vector<Call>> parse_calls(std::string_view answer) {
  json::error_code error;
  const auto value = json::parse(answer, error);
  if (error || !value.is_object()) {
    return base::fail(base::Errc::io,
                      "helloweb does not answer with a JSON object: " + std::string(answer.substr(0, 80)));
  }
  std::vector<Call> calls;
  for (const auto& [name, call] : value.get_object()) {
    if (call.is_object()) calls.push_back(read_call(name, call.get_object()));
  }
  return calls;
}

std::vector<Arrival> parse_arrivals(std::string_view log) {
  std::vector<Arrival> arrivals;
  for (auto end = log.find('\n'); end != std::string_view::npos; end = log.find('\n')) {
    json::error_code error;
    const auto value = json::parse(log.substr(0, end), error);
    if (!error && value.is_object()) {
      const auto& line = value.get_object();
      arrivals.push_back({number(line, "time"), text(line, "version"), text(line, "path"), text(line, "attempt")});
    }
    log.remove_prefix(end + 1);
  }
  return arrivals;
}

}  // namespace cli::demo
