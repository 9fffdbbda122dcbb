#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace base {

// An IPv4 or IPv6 address. IPv4 is stored IPv4-mapped (::ffff:a.b.c.d), so that both families share one key.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  static Result<IpAddress> parse(std::string_view text);
  [[nodiscard]] bool is_v4() const;
  [[nodiscard]] std::string to_string() const;
  auto operator<=>(const IpAddress&) const = default;
};

// Address and port; the port is in host order.
struct SocketAddress {
  IpAddress ip;
  std::uint16_t port = 0;

  // "127.0.0.1:80", "[::1]:80".
  static Result<SocketAddress> parse(std::string_view text);
  static SocketAddress from_sockaddr(const sockaddr_storage& storage);
  // Fills `storage` as AF_INET for IPv4 and returns its length.
  [[nodiscard]] socklen_t to_sockaddr(sockaddr_storage& storage) const;
  [[nodiscard]] int family() const { return ip.is_v4() ? AF_INET : AF_INET6; }
  [[nodiscard]] std::string to_string() const;
  auto operator<=>(const SocketAddress&) const = default;
};

std::size_t hash_value(const IpAddress& ip);
std::size_t hash_value(const SocketAddress& address);

}  // namespace base

template <>
struct std::hash<base::IpAddress> {
  std::size_t operator()(const base::IpAddress& ip) const { return base::hash_value(ip); }
};
template <>
struct std::hash<base::SocketAddress> {
  std::size_t operator()(const base::SocketAddress& address) const { return base::hash_value(address); }
};
