#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace agent::kube {

// What came on a watch, and why watches ended.
enum class EventType : std::uint8_t { added, modified, deleted };
inline constexpr std::array<std::string_view, 3> kEventTypeNames = {"added", "modified", "deleted"};
enum class RestartReason : std::uint8_t {
  expired,  // the version to go on from is gone: everything is listed again
  closed,   // by the API server, in good order
  error,
};
inline constexpr std::array<std::string_view, 3> kRestartReasonNames = {"expired", "closed", "error"};

// How well one resource is known: one watch, or all those of a kind that come and go.
struct WatchStatus {
  std::string resource;  // "pods", "virtualservices.networking.istio.io"
  std::string error;     // empty while all is well
  bool is_synced = false;
  std::optional<base::WallTime> last_contact;  // what is known is as of then
  std::array<std::uint64_t, kEventTypeNames.size()> events{};
  std::array<std::uint64_t, kRestartReasonNames.size()> restarts{};
  std::uint64_t lists = 0, failures = 0, bytes_received = 0;

  // Takes in another watch of the same kind: its counts, and its contact if it is the older one.
  void add(const WatchStatus& other);
};

}  // namespace agent::kube
