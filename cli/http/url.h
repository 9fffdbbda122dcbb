#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/socket_address.h"

namespace cli::http {

// http://host[:port][/path[?query]]; only http, because Fairlead ends no TLS.
struct Url {
  std::string host;
  std::uint16_t port = 80;
  std::string target = "/";

  static base::Result<Url> parse(std::string_view text);
  // What belongs into the Host header: the port only when it is not 80.
  [[nodiscard]] std::string authority() const;
};

// The first address of the host, by the system's resolver (which reads /etc/hosts).
base::Result<base::SocketAddress> resolve(const std::string& host, std::uint16_t port);

}  // namespace cli::http
