#pragma once

#include <cstddef>
#include <cstdint>

#include "proxy/http1/head.h"
#include "proxy/http1/scan.h"

namespace proxy::http1 {

enum class BodyError : std::uint8_t {
  none,
  framing,             // 400 http1.codec_error
  invalid_characters,  // 400 http1.invalid_characters: in a trailer
  too_large,           // 431 http1.headers_too_large: the trailers
};

// Finds a message's payload in the bytes that follow its head. Strict chunk framing (SEMANTICS 2.10); trailers are
// checked and dropped. Knows nothing of sockets.
class BodyDecoder {
 public:
  struct Step {
    std::size_t consumed = 0;  // bytes of the input that belong to this message
    std::size_t payload = 0;   // payload bytes, moved to the front of the input
    bool is_error = false;     // framing broken; the connection cannot be used any more
  };

  void start(BodyKind kind, std::uint64_t content_length);

  // Decodes data[0, size). Payload is compacted in place to data[0, payload); what follows the message stays where it
  // was, at data[consumed, size).
  Step decode(char* data, std::size_t size);

  // The peer closed. True when that ends the message properly (until_close, or already done).
  bool finish_on_close();

  [[nodiscard]] bool is_done() const { return is_done_; }
  [[nodiscard]] BodyError error() const { return error_; }
  // The last chunk was there; what is left are trailers.
  [[nodiscard]] bool has_whole_payload() const { return state_ >= State::trailer_start; }
  [[nodiscard]] BodyKind kind() const { return kind_; }

 private:
  enum class State : std::uint8_t {
    size_start,
    size_digits,
    size_blank,
    extension,
    size_line_feed,
    payload,
    payload_return,
    payload_line_feed,
    trailer_start,
    trailer_name,
    trailer_value,
    trailer_line_feed,
    end_line_feed,
  };
  Step decode_chunked(char* data, std::size_t size);
  bool take_framing_byte(char c);
  bool take_trailer_byte(char c, CharClass allowed, BodyError otherwise);

  std::uint64_t remaining_ = 0;  // of the body (length) or of the current chunk
  std::uint32_t trailer_bytes_ = 0;
  std::uint32_t extension_bytes_ = 0;
  std::uint8_t size_digits_ = 0;
  BodyKind kind_ = BodyKind::none;
  State state_ = State::size_start;
  BodyError error_ = BodyError::none;
  bool is_done_ = true;
};

// Writes "<hex size>\r\n" for a chunk; `out` needs kMaxChunkHead bytes. Returns the size written.
inline constexpr std::size_t kMaxChunkHead = 18;
std::size_t write_chunk_head(char* out, std::uint64_t payload_size);

}  // namespace proxy::http1
