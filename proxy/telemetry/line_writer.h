#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/socket_address.h"

namespace proxy::telemetry {

enum class Blanks : std::uint8_t { kept, underscored };

// The last `width` decimal digits of `value`; returns the end.
inline char* write_digits(char* out, unsigned value, int width) {
  for (int i = width; i-- > 0; value /= 10) out[i] = static_cast<char>('0' + value % 10);
  return out + width;
}

// Appends to a string through a plain pointer: room is claimed in large pieces, and what was not used is given back at
// the end. A log line has some sixty pieces; as many appends would be half of what a request costs.
class LineWriter {
 public:
  explicit LineWriter(std::string& out) : out_(out) { claim(out.size(), kRoom); }
  ~LineWriter() { out_.resize(static_cast<std::size_t>(at_ - out_.data())); }
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  void put(char c) {
    need(1);
    *at_++ = c;
  }
  void put(std::string_view text) {
    need(text.size());
    if (!text.empty()) std::memcpy(at_, text.data(), text.size());  // data() may be null
    at_ += text.size();
  }
  template <typename Integer>
  void put_number(Integer value) {
    need(kMaxNumberBytes);
    at_ = std::to_chars(at_, at_ + kMaxNumberBytes, value).ptr;
  }
  // 10.0.0.1:80, [2001:db8::1]:80
  void put_address(const base::SocketAddress& address);
  // Printable ASCII and UTF-8 as they are; `hex_escape` starts the escape of a byte that may not be shown: \xHH in
  // text, \u00HH in JSON.
  void put_escaped(std::string_view value, std::string_view hex_escape, Blanks blanks);

 private:
  static constexpr std::size_t kRoom = 2048;
  static constexpr std::size_t kMaxNumberBytes = 20;

  void need(std::size_t bytes) {
    if (static_cast<std::size_t>(end_ - at_) < bytes) claim(static_cast<std::size_t>(at_ - out_.data()), bytes + kRoom);
  }
  void claim(std::size_t used, std::size_t bytes) {
    out_.resize(used + bytes);
    at_ = out_.data() + used;
    end_ = at_ + bytes;
  }

  std::string& out_;
  char* at_ = nullptr;
  char* end_ = nullptr;
};

}  // namespace proxy::telemetry
