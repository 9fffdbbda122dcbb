#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "proxy/http1/body.h"
#include "tests/fuzz/require.h"

using fuzz::require;
using namespace proxy::http1;

namespace {

struct Decoded {
  std::string payload;
  std::size_t consumed = 0;
  bool is_done = false;
  bool is_error = false;
  bool operator==(const Decoded&) const = default;
};

// Pieces of 1 to `piece` bytes; 0: all at once.
Decoded decode(std::string_view wire, std::size_t piece) {
  BodyDecoder decoder;
  decoder.start(BodyKind::chunked, 0);
  Decoded decoded;
  std::size_t turn = 0;
  while (decoded.consumed < wire.size() && !decoder.is_done()) {
    const std::size_t wanted = piece == 0 ? wire.size() : 1 + turn++ % piece;
    std::string data(wire.substr(decoded.consumed, wanted));
    const std::string before = data;
    const BodyDecoder::Step step = decoder.decode(data.data(), data.size());
    require(step.payload <= step.consumed && step.consumed <= data.size(), "a step stays in its input");
    require(std::string_view(data).substr(step.consumed) == std::string_view(before).substr(step.consumed),
            "what follows the message stays where it was");
    decoded.payload += data.substr(0, step.payload);
    decoded.consumed += step.consumed;
    decoded.is_error = step.is_error;
    if (step.is_error) return decoded;
    require(step.consumed == data.size() || decoder.is_done(), "a body takes all that is its own");
  }
  decoded.is_done = decoder.is_done();
  return decoded;
}

std::string encode(std::string_view payload, std::size_t chunk) {
  std::string wire;
  char head[kMaxChunkHead];
  for (std::size_t at = 0; at < payload.size(); at += chunk) {
    const std::string_view piece = payload.substr(at, chunk);
    wire.append(head, write_chunk_head(head, piece.size()));
    wire.append(piece);
    wire += "\r\n";
  }
  return wire + "0\r\n\r\n";
}

}  // namespace

// The first byte says into how large pieces the rest is cut.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view wire(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Decoded whole = decode(wire, 0);
  require(decode(wire, 1) == whole, "byte by byte gives the same");
  require(decode(wire, 1 + data[0]) == whole, "cutting the input changes nothing");
  require(whole.payload.size() <= wire.size(), "nothing comes from nowhere");

  const std::string again = encode(whole.payload, 1 + data[0] % 64U);
  const Decoded round_trip = decode(again, 1 + data[0]);
  require(round_trip.payload == whole.payload && round_trip.is_done && round_trip.consumed == again.size(),
          "what was encoded is decoded");
  return 0;
}
