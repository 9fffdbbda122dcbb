#pragma once

#include <cstdint>
#include <cstring>
#include <exception>
#include <limits>
#include <string>

#include "base/socket_address.h"
#include "channel/channel.pb.h"
#include "config/model/node_config.h"

// Pairs of functions, here and in the files that include this, write and read one message of channel.proto. Reading
// checks what C++ types cannot: numbers that do not fit, enum values that do not exist, indices out of range.
namespace channel {

namespace pb = fairlead::channel;

class Invalid : public std::exception {};  // leaves decode() as an Error; never leaves the codec

template <typename To>
To narrow(std::uint64_t value) {
  if (value > std::numeric_limits<To>::max()) throw Invalid();
  return static_cast<To>(value);
}

template <typename Enum>
Enum enumerator(std::uint32_t value, Enum last) {
  if (value > static_cast<std::uint32_t>(last)) throw Invalid();
  return static_cast<Enum>(value);
}

inline config::Milliseconds milliseconds(std::uint64_t value) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 53;  // 285,000 years: no sum of two overflows
  if (value > kMost) throw Invalid();
  return config::Milliseconds(static_cast<std::int64_t>(value));
}

inline std::uint64_t count(config::Milliseconds value) { return static_cast<std::uint64_t>(value.count()); }

inline std::string ip_bytes(const base::IpAddress& ip) {
  return {reinterpret_cast<const char*>(ip.bytes.data()), ip.bytes.size()};
}

inline base::IpAddress read_ip(const std::string& bytes) {
  base::IpAddress ip;
  if (bytes.size() != ip.bytes.size()) throw Invalid();
  std::memcpy(ip.bytes.data(), bytes.data(), bytes.size());
  return ip;
}

inline void write(pb::Address& to, const base::SocketAddress& from) {
  to.set_ip(ip_bytes(from.ip));
  to.set_port(from.port);
}

inline base::SocketAddress read(const pb::Address& from) {
  return {read_ip(from.ip()), narrow<std::uint16_t>(from.port())};
}

inline void write(pb::Identity& to, const config::WorkloadIdentity& from) {
  to.set_id(from.id);
  to.set_workload(from.workload);
  to.set_workload_namespace(from.workload_namespace);
  to.set_app(from.app);
  to.set_version(from.version);
  to.set_canonical_service(from.canonical_service);
  to.set_canonical_revision(from.canonical_revision);
}

inline config::WorkloadIdentity read(const pb::Identity& from) {
  return {.id = from.id(),
          .workload = from.workload(),
          .workload_namespace = from.workload_namespace(),
          .app = from.app(),
          .version = from.version(),
          .canonical_service = from.canonical_service(),
          .canonical_revision = from.canonical_revision()};
}

}  // namespace channel
