#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/socket_address.h"

namespace cli::http {

struct Response {
  int status = 0;
  std::string head;  // status line and headers as they came
  std::string body;
};

struct Request {
  base::SocketAddress address;
  std::string target;
  std::string host{};                  // the address when empty
  std::vector<std::string> headers{};  // whole lines without their end; a Host line replaces `host`
  std::chrono::nanoseconds timeout{std::chrono::seconds(3)};  // from connect to the last byte
};

// One GET on a connection of its own.
base::Result<Response> get(const Request& request);

// The bytes of a request without a body. Host first, unless `headers` hold one.
std::string request_head(std::string_view method, std::string_view target, std::string_view host,
                         const std::vector<std::string>& headers);

}  // namespace cli::http
