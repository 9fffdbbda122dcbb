#include "proxy/request/route_input.h"

#include "proxy/http1/header_names.h"
#include "proxy/http1/scan.h"

namespace proxy {

using http1::HeaderId;

std::string_view RouteInput::scheme() const {
  if (!target_.scheme.empty()) return target_.scheme;
  std::string_view forwarded;
  const bool is_https = http1::joined_value(bytes_, head_, "x-forwarded-proto", storage_, forwarded) &&
                        http1::equals_ignoring_case(forwarded, "https");
  return is_https ? "https" : "http";
}

bool RouteInput::header(std::string_view name, std::string_view& value) const {
  if (name.starts_with(':')) return pseudo_header(name, value);
  const HeaderId id = http1::facts_of_name(name.data(), name.size()).id;
  if (id == HeaderId::authority_host) {
    value = authority_;
    return true;
  }
  if (id == HeaderId::request_id && !request_id_.empty()) {
    value = request_id_;
    return true;
  }
  if (http1::joined_value(bytes_, head_, name, storage_, value)) return !is_hidden(id, value);
  if (id != HeaderId::forwarded_proto) return false;
  value = "http";
  return true;
}

bool RouteInput::pseudo_header(std::string_view name, std::string_view& value) const {
  if (name == ":method") {
    value = method();
  } else if (name == ":path") {
    value = path();
  } else if (name == ":authority") {
    value = authority_;
  } else if (name == ":scheme") {
    value = scheme();
  } else {
    return false;
  }
  return true;
}

bool RouteInput::is_hidden(HeaderId id, std::string_view value) const {
  switch (id) {
    case HeaderId::connection:
    case HeaderId::upgrade:
      return !head_.has_upgrade;
    case HeaderId::keep_alive:
    case HeaderId::proxy_connection:
    case HeaderId::transfer_encoding:
      return true;
    case HeaderId::te:
      return !value.empty() && value.find("trailers") == std::string_view::npos;
    default:
      return false;
  }
}

}  // namespace proxy
