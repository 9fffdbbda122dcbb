#include "base/socket_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace base {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail(Errc::invalid, "'" + std::string(text) + "' is not a port (0-65535)");
  }
  return port;
}

}  // namespace

Result<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string copy(text);
  IpAddress ip;
  if (in_addr v4{}; inet_pton(AF_INET, copy.c_str(), &v4) == 1) {
    std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), ip.bytes.begin());
    std::memcpy(&ip.bytes[12], &v4, 4);
    return ip;
  }
  if (inet_pton(AF_INET6, copy.c_str(), ip.bytes.data()) == 1) return ip;
  return fail(Errc::invalid, "'" + copy + "' is not an IP address");
}

bool IpAddress::is_v4() const { return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin()); }

std::string IpAddress::to_string() const {
  char text[INET6_ADDRSTRLEN];
  const bool v4 = is_v4();
  inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? &bytes[12] : bytes.data(), text, sizeof text);
  return text;
}

Result<SocketAddress> SocketAddress::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return fail(Errc::invalid, "'" + std::string(text) + "' is not ADDRESS:PORT");
  }
  std::string_view host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return fail(Errc::invalid, "'" + std::string(text) + "': write an IPv6 address as [ADDRESS]:PORT");
  }
  auto ip = IpAddress::parse(host);
  if (!ip) return tl::unexpected(ip.error());
  auto port = parse_port(text.substr(colon + 1));
  if (!port) return tl::unexpected(port.error());
  return SocketAddress{*ip, *port};
}

SocketAddress SocketAddress::from_sockaddr(const sockaddr_storage& storage) {
  SocketAddress address;
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.ip.bytes.begin());
    std::memcpy(&address.ip.bytes[12], &v4.sin_addr, 4);
    address.port = ntohs(v4.sin_port);
  } else if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    std::memcpy(address.ip.bytes.data(), &v6.sin6_addr, 16);
    address.port = ntohs(v6.sin6_port);
  }
  return address;
}

socklen_t SocketAddress::to_sockaddr(sockaddr_storage& storage) const {
  std::memset(&storage, 0, sizeof storage);
  if (ip.is_v4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, &ip.bytes[12], 4);
    return sizeof(sockaddr_in);
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  std::memcpy(&v6.sin6_addr, ip.bytes.data(), 16);
  return sizeof(sockaddr_in6);
}

std::string SocketAddress::to_string() const {
  const std::string port_text = ":" + std::to_string(port);
  return ip.is_v4() ? ip.to_string() + port_text : "[" + ip.to_string() + "]" + port_text;
}

std::size_t hash_value(const IpAddress& ip) {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::memcpy(&high, &ip.bytes[0], 8);
  std::memcpy(&low, &ip.bytes[8], 8);
  std::uint64_t z = (high * 0x9e3779b97f4a7c15ULL) ^ low;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  return z ^ (z >> 31);
}

std::size_t hash_value(const SocketAddress& address) { return hash_value(address.ip) * 31 + address.port; }

}  // namespace base
