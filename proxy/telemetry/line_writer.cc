#include "proxy/telemetry/line_writer.h"

#include <arpa/inet.h>

#include <array>
#include <bit>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/utf8.h"

namespace proxy::telemetry {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// 0 to 255 in decimal digits.
struct Octet {
  char digits[3] = {};
  std::uint8_t size = 0;
};
constexpr std::array<Octet, 256> make_octets() {
  std::array<Octet, 256> octets{};
  for (unsigned value = 0; value < octets.size(); ++value) {
    Octet& octet = octets[value];
    octet.size = value < 10 ? 1 : value < 100 ? 2 : 3;
    for (unsigned rest = value, i = octet.size; i-- > 0; rest /= 10)
      octet.digits[i] = static_cast<char>('0' + rest % 10);
  }
  return octets;
}
constexpr std::array<Octet, 256> kOctets = make_octets();

// Length of the UTF-8 sequence at the start of `text`; 0 when it is not valid, or is one of the controls U+0080 to
// U+009F.
std::size_t printable_sequence(std::string_view text) {
  const std::size_t length = base::utf8_character(text);
  const bool is_control = length == 2 && text[0] == '\xc2' && static_cast<unsigned char>(text[1]) < 0xa0;
  return is_control ? 0 : length;
}

#if defined(__SSE2__)
// A bit for each of 16 bytes that does not stand for itself in a line: what is no printable ASCII, quotes, and blanks
// if they are not kept.
unsigned special_ones(__m128i bytes, Blanks blanks) {
  // Signed comparison: bytes above 0x7f count as below everything.
  const __m128i lowest = _mm_set1_epi8(blanks == Blanks::kept ? 0x20 : 0x21);
  const __m128i is_outside = _mm_or_si128(_mm_cmplt_epi8(bytes, lowest), _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f)));
  const __m128i is_quoted =
      _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(is_outside, is_quoted)));
}

// The first such byte, or `end`.
const char* find_special(const char* at, const char* end, Blanks blanks) {
  for (; end - at >= 16; at += 16) {
    const unsigned found = special_ones(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)), blanks);
    if (found != 0) return at + std::countr_zero(found);
  }
  const auto rest = static_cast<std::size_t>(end - at);
  if (rest == 0) return end;
  alignas(16) char copy[16] = {};
  std::memcpy(copy, at, rest);
  const unsigned end_mark = 1U << rest;
  return at + std::countr_zero(special_ones(_mm_load_si128(reinterpret_cast<const __m128i*>(copy)), blanks) | end_mark);
}
#else
bool is_plain(char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

const char* find_special(const char* at, const char* end, Blanks blanks) {
  while (at != end && is_plain(*at) && (*at != ' ' || blanks == Blanks::kept)) ++at;
  return at;
}
#endif

}  // namespace

void LineWriter::put_address(const base::SocketAddress& address) {
  const auto& bytes = address.ip.bytes;
  if (address.ip.is_v4()) {
    need(4 * 4 + kMaxNumberBytes);
    for (std::size_t i = 12; i < 16; ++i) {
      const Octet& octet = kOctets[bytes[i]];
      std::memcpy(at_, octet.digits, sizeof octet.digits);
      at_ += octet.size;
      *at_++ = '.';
    }
    --at_;
  } else {
    char text[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
    put('[');
    put(text);
    put(']');
  }
  put(':');
  put_number(address.port);
}

void LineWriter::put_escaped(std::string_view value, std::string_view hex_escape, Blanks blanks) {
  const char* from = value.data();
  const char* const end = from + value.size();
  for (;;) {
    const char* const special = find_special(from, end, blanks);
    put({from, static_cast<std::size_t>(special - from)});
    if (special == end) return;
    const auto c = static_cast<unsigned char>(*special);
    from = special + 1;
    if (c >= 0x80) {
      const std::string_view rest(special, static_cast<std::size_t>(end - special));
      if (const std::size_t length = printable_sequence(rest); length > 0) {
        put(rest.substr(0, length));
        from = special + length;
        continue;
      }
    }
    if (c == ' ') {
      put('_');
    } else if (c == '"' || c == '\\') {
      put('\\');
      put(static_cast<char>(c));
    } else {
      put(hex_escape);
      put(kHex[c >> 4U]);
      put(kHex[c & 15U]);
    }
  }
}

}  // namespace proxy::telemetry
