#include "cli/http/url.h"

#include <netdb.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>

namespace cli::http {

base::Result<Url> Url::parse(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return base::fail(base::Errc::invalid,
                      "'" + std::string(text) + "': " + std::string(why) + "; write http://host:port/path");
  };
  std::string_view rest = text;
  if (const auto scheme = rest.find("://"); scheme != std::string_view::npos) {
    if (rest.substr(0, scheme) != "http") return bad("only http:// is supported");
    rest.remove_prefix(scheme + 3);
  }
  Url url;
  const auto slash = std::min(rest.find_first_of("/?#"), rest.size());
  auto authority = rest.substr(0, slash);
  if (slash < rest.size()) {
    const auto target = rest.substr(slash, rest.find('#') - slash);
    url.target = std::string(target.starts_with('/') ? "" : "/") + std::string(target);
  }
  for (const char c : text) {
    if (c <= ' ' || c == 0x7f) return bad("a URL holds no blanks or control characters");
  }
  if (authority.find('@') != std::string_view::npos) return bad("user names are not supported");
  const auto bracket = authority.rfind(']');
  const auto colon = authority.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    const auto port = authority.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (error != std::errc() || end != port.data() + port.size() || url.port == 0) return bad("bad port");
    authority = authority.substr(0, colon);
  }
  if (authority.starts_with('[') != authority.ends_with(']')) return bad("bad IPv6 address");
  if (authority.starts_with('[')) authority = authority.substr(1, authority.size() - 2);
  if (authority.empty()) return bad("no host");
  url.host = std::string(authority);
  return url;
}

std::string Url::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == 80 ? name : name + ":" + std::to_string(port);
}

base::Result<base::SocketAddress> resolve(const std::string& host, std::uint16_t port) {
  if (auto ip = base::IpAddress::parse(host)) return base::SocketAddress{*ip, port};
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0) {
    return base::fail(base::Errc::not_found, "cannot resolve '" + host + "': " + ::gai_strerror(error) +
                                                 "; a service name needs `fairlead exec --as WORKLOAD -- ...`");
  }
  sockaddr_storage storage{};
  std::memcpy(&storage, found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
  auto address = base::SocketAddress::from_sockaddr(storage);
  address.port = port;
  return address;
}

}  // namespace cli::http
