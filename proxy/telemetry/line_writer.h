#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/socket_address.h"
#include "proxy/telemetry/line_buffer.h"

namespace proxy::telemetry {

// The last `width` decimal digits of `value`; returns the end.
inline char* write_digits(char* out, unsigned value, int width) {
  for (int i = width; i-- > 0; value /= 10) out[i] = static_cast<char>('0' + value % 10);
  return out + width;
}

// Appends to a buffer through a plain pointer: room for a whole line is claimed once, and each piece has one comparison
// to find that it is enough. A log line has some sixty pieces; as many appends would be half of what a request costs.
class LineWriter {
 public:
  // `hex_escape` starts the escape of a byte that may not be shown: \xHH in text, \u00HH in JSON.
  LineWriter(LineBuffer& out, std::string_view hex_escape) : out_(out), hex_escape_(hex_escape) { claim(0); }
  ~LineWriter() { out_.extend_to(at_); }
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  void put(char c) {
    need(1);
    char* const at = at_;
    *at = c;
    at_ = at + 1;
  }
  void put(std::string_view text) {
    need(text.size());
    char* const at = at_;
    if (!text.empty()) std::memcpy(at, text.data(), text.size());  // data() may be null
    at_ = at + text.size();
  }
  // The same with a size that the compiler knows: a few moves instead of a call.
  template <std::size_t kSize>
  void put_literal(const char (&text)[kSize]) {
    need(kSize - 1);
    char* const at = at_;
    std::memcpy(at, text, kSize - 1);
    at_ = at + kSize - 1;
  }
  template <typename Integer>
  void put_number(Integer value) {
    need(kMaxNumberBytes);
    at_ = std::to_chars(at_, at_ + kMaxNumberBytes, value).ptr;
  }
  // 10.0.0.1:80, [2001:db8::1]:80
  void put_address(const base::SocketAddress& address);
  // Printable ASCII and UTF-8 as they are, all else escaped.
  void put_escaped(std::string_view value);
  // The same with '_' for each blank.
  void put_escaped_word(std::string_view value);

 private:
  static constexpr std::size_t kRoom = 2048;
  static constexpr std::size_t kMaxNumberBytes = 20;

  [[nodiscard]] bool has_room(std::size_t bytes) const { return static_cast<std::size_t>(end_ - at_) >= bytes; }
  void need(std::size_t bytes) {
    if (!has_room(bytes)) [[unlikely]] {
      out_.extend_to(at_);
      claim(bytes);
    }
  }
  void claim(std::size_t bytes);
  void put_escaped_characters(std::string_view value, char blank);

  LineBuffer& out_;
  std::string_view hex_escape_;
  // Each piece is written through a copy of it: a char may be any byte, for all the compiler knows of `at_` itself.
  char* at_ = nullptr;
  char* end_ = nullptr;
};

}  // namespace proxy::telemetry
