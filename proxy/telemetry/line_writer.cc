#include "proxy/telemetry/line_writer.h"

#include <arpa/inet.h>

#include <array>
#include <utility>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/utf8.h"

namespace proxy::telemetry {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// 0 to 255 in decimal digits, and the dot behind it.
struct Octet {
  char text[4] = {};
  std::uint8_t size = 0;
};
constexpr std::array<Octet, 256> make_octets() {
  std::array<Octet, 256> octets{};
  for (unsigned value = 0; value < octets.size(); ++value) {
    Octet& octet = octets[value];
    octet.size = value < 10 ? 2 : value < 100 ? 3 : 4;
    octet.text[octet.size - 1] = '.';
    for (unsigned rest = value, i = octet.size - 1; i-- > 0; rest /= 10)
      octet.text[i] = static_cast<char>('0' + rest % 10);
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

// Whether a character stands for itself in a line; a blank may have to become an underscore.
constexpr bool is_plain(char c) { return c >= ' ' && c < 0x7f && c != '"' && c != '\\'; }

bool copy_each_if_plain(char* out, std::string_view value) {
  for (const char c : value) {
    if (!is_plain(c)) return false;
    *out++ = c;
  }
  return true;
}

#if defined(__SSE2__)
// The bytes of a block that are not plain.
__m128i odd_ones(__m128i block) {
  // Signed comparison: bytes above 0x7f count as below everything.
  const __m128i is_outside =
      _mm_or_si128(_mm_cmplt_epi8(block, _mm_set1_epi8(' ')), _mm_cmpeq_epi8(block, _mm_set1_epi8(0x7f)));
  const __m128i is_quoted =
      _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('"')), _mm_cmpeq_epi8(block, _mm_set1_epi8('\\')));
  return _mm_or_si128(is_outside, is_quoted);
}

__m128i copy_block(char* out, const char* from) {
  const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), block);
  return block;
}

// The first and the last bytes of what is no longer than twice a word; they may overlap.
template <typename Word>
std::pair<Word, Word> copy_ends(char* out, std::string_view value) {
  Word first = 0;
  Word last = 0;
  const char* const from = value.data();
  const std::size_t last_at = value.size() - sizeof(Word);
  std::memcpy(&first, from, sizeof(Word));
  std::memcpy(&last, from + last_at, sizeof(Word));
  std::memcpy(out, &first, sizeof(Word));
  std::memcpy(out + last_at, &last, sizeof(Word));
  return {first, last};
}

// Copies `value`, and says whether all of it is plain. If not, the copy is of no use.
bool copy_if_plain(char* out, std::string_view value) {
  const std::size_t size = value.size();
  if (size < 4) return copy_each_if_plain(out, value);
  __m128i odd;
  if (size < 8) {
    const auto [first, last] = copy_ends<std::uint32_t>(out, value);
    odd = odd_ones(_mm_set1_epi64x(static_cast<std::int64_t>(std::uint64_t{last} << 32U | first)));
  } else if (size < 16) {
    const auto [first, last] = copy_ends<std::int64_t>(out, value);
    odd = odd_ones(_mm_set_epi64x(last, first));
  } else {
    const std::size_t last_at = size - 16;
    odd = odd_ones(copy_block(out + last_at, value.data() + last_at));
    for (std::size_t at = 0; at < last_at; at += 16) {
      odd = _mm_or_si128(odd, odd_ones(copy_block(out + at, value.data() + at)));
    }
  }
  return _mm_movemask_epi8(odd) == 0;
}
#else
bool copy_if_plain(char* out, std::string_view value) { return copy_each_if_plain(out, value); }
#endif

}  // namespace

void LineWriter::claim(std::size_t bytes) {
  at_ = out_.make_room(bytes + kRoom);
  end_ = out_.room_end();
}

void LineWriter::put_address(const base::SocketAddress& address) {
  const auto& bytes = address.ip.bytes;
  if (address.ip.is_v4()) {
    need(4 * sizeof(Octet::text));
    char* at = at_;
    for (std::size_t i = 12; i < 16; ++i) {
      const Octet& octet = kOctets[bytes[i]];
      std::memcpy(at, octet.text, sizeof octet.text);
      at += octet.size;
    }
    at[-1] = ':';
    at_ = at;
  } else {
    char text[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
    put('[');
    put(text);
    put("]:");
  }
  put_number(address.port);
}

void LineWriter::put_escaped(std::string_view value) {
  if (has_room(value.size()) && copy_if_plain(at_, value)) {
    at_ += value.size();
  } else {
    put_escaped_characters(value, ' ');
  }
}

void LineWriter::put_escaped_word(std::string_view value) {
  if (value.find(' ') == std::string_view::npos) {
    put_escaped(value);
  } else {
    put_escaped_characters(value, '_');
  }
}

void LineWriter::put_escaped_characters(std::string_view value, char blank) {
  while (!value.empty()) {
    const char c = value.front();
    std::size_t size = 1;
    if (is_plain(c)) {
      put(c == ' ' ? blank : c);
    } else if (c == '"' || c == '\\') {
      put('\\');
      put(c);
    } else if (const std::size_t sequence = printable_sequence(value); sequence > 1) {
      put(value.substr(0, sequence));
      size = sequence;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      put(hex_escape_);
      put(kHex[byte >> 4U]);
      put(kHex[byte & 15U]);
    }
    value.remove_prefix(size);
  }
}

}  // namespace proxy::telemetry
