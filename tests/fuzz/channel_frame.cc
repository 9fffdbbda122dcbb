#include <cstddef>
#include <cstdint>
#include <string_view>

#include "channel/codec.h"
#include "tests/fuzz/require.h"

// The agent has every privilege of the node and reads these bytes from a process that parses what pods send.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<base::UniqueFd> descriptors;
  const auto message = channel::decode({reinterpret_cast<const char*>(data), size}, descriptors);
  if (!message) return 0;
  const channel::Encoded encoded = channel::encode(*message);
  const auto again = channel::decode(encoded.bytes, descriptors);
  fuzz::require(again.has_value(), "what was read can be written and read again");
  fuzz::require(channel::encode(*again).bytes == encoded.bytes, "and stays the same");
  return 0;
}
