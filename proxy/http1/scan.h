#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

// Finding delimiters and copying, 16 bytes at a time where the machine has SSE2 (every x86-64 has), else byte by byte.
// Nothing here reads past the `end` it is given.
namespace proxy::http1 {

// What a byte may be part of (RFC 9110 5.6.2, RFC 9112 3 and 5).
enum CharClass : std::uint8_t {
  kToken = 1,   // method, field name
  kTarget = 2,  // request target: visible ASCII
  kValue = 4,   // field value, reason phrase: visible, blank, or above 0x7f
  kHost = 8,    // Host and the authority of a target, as Envoy takes them
};

constexpr std::array<std::uint8_t, 256> make_char_classes() {
  std::array<std::uint8_t, 256> classes{};
  for (int c = 0; c < 256; ++c) {
    const bool is_alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    const auto is_one_of = [c](std::string_view set) {
      return c < 0x80 && set.find(static_cast<char>(c)) != std::string_view::npos;
    };
    std::uint8_t bits = 0;
    if (is_alnum || is_one_of("!#$%&'*+-.^_`|~")) bits |= kToken;
    if (c > 0x20 && c < 0x7f) bits |= kTarget;
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) bits |= kValue;
    if (is_alnum || is_one_of("!$%&'()*+,-.:;=@[]_~")) bits |= kHost;
    classes[static_cast<std::size_t>(c)] = bits;
  }
  return classes;
}
inline constexpr std::array<std::uint8_t, 256> kCharClasses = make_char_classes();

inline bool is_in_class(char c, CharClass wanted) { return (kCharClasses[static_cast<std::uint8_t>(c)] & wanted) != 0; }
inline bool is_blank(char c) { return c == ' ' || c == '\t'; }

inline const char* find_outside_class(const char* at, const char* end, CharClass wanted) {
  while (at != end && is_in_class(*at, wanted)) ++at;
  return at;
}

#if defined(__SSE2__)
inline __m128i load16(const char* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); }
// Signed comparison: bytes above 0x7f count as below everything.
inline __m128i is_between(__m128i bytes, char low, char high) {
  return _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8(static_cast<char>(low - 1))),
                       _mm_cmplt_epi8(bytes, _mm_set1_epi8(static_cast<char>(high + 1))));
}
#endif

// The first byte that is no token character: the end of a method or of a field name.
inline const char* find_end_of_token(const char* at, const char* end) {
#if defined(__SSE2__)
  while (end - at >= 16) {
    const __m128i bytes = load16(at);
    const __m128i is_letter = is_between(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z');
    const __m128i is_digit = is_between(bytes, '0', '9');
    const __m128i is_dash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-'));
    const int common = _mm_movemask_epi8(_mm_or_si128(is_letter, _mm_or_si128(is_digit, is_dash)));
    if (common == 0xffff) {
      at += 16;
      continue;
    }
    at += std::countr_one(static_cast<unsigned>(common));
    if (!is_in_class(*at, kToken)) return at;
    ++at;  // a rarer token character
  }
#endif
  return find_outside_class(at, end, kToken);
}

inline const char* find_end_of_target(const char* at, const char* end) {
#if defined(__SSE2__)
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = load16(at);
    const __m128i is_outside =
        _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x21)), _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f)));
    if (const int mask = _mm_movemask_epi8(is_outside); mask != 0) {
      return at + std::countr_zero(static_cast<unsigned>(mask));
    }
  }
#endif
  return find_outside_class(at, end, kTarget);
}

inline const char* find_end_of_value(const char* at, const char* end) {
#if defined(__SSE2__)
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = load16(at);
    const __m128i is_control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    const __m128i is_tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
    const __m128i is_delete = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
    if (const int mask = _mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(is_tab, is_control), is_delete)); mask != 0) {
      return at + std::countr_zero(static_cast<unsigned>(mask));
    }
  }
#endif
  return find_outside_class(at, end, kValue);
}

// A quick yes for what most hosts and paths are: 16 bytes or more of nothing but letters, digits and - . / : ; _
// without `excluded`. A no says nothing.
inline bool is_common_text(std::string_view text, char excluded) {
#if defined(__SSE2__)
  const auto is_common = [excluded](const char* at) {
    const __m128i bytes = load16(at);
    const __m128i is_letter = is_between(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z');
    const __m128i is_other = _mm_or_si128(is_between(bytes, '-', ';'), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('_')));
    const __m128i is_excluded = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(excluded));
    return _mm_movemask_epi8(_mm_andnot_si128(is_excluded, _mm_or_si128(is_letter, is_other))) == 0xffff;
  };
  if (text.size() < 16) return false;
  const char* const last = text.data() + text.size() - 16;  // may overlap the block before
  for (const char* at = text.data(); at < last; at += 16) {
    if (!is_common(at)) return false;
  }
  return is_common(last);
#else
  static_cast<void>(text);
  static_cast<void>(excluded);
  return false;
#endif
}

// Whether a Host or authority has nothing in it but what may be there.
inline bool is_host_text(std::string_view text) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  return is_common_text(text, '/') || find_outside_class(begin, end, kHost) == end;
}

constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

// -1: no hexadecimal digit.
constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

inline bool equals_ignoring_case(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (to_lower(left[i]) != to_lower(right[i])) return false;
  }
  return true;
}

inline std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// Calls `visit` with every element of a comma-separated list, blanks trimmed; with empty ones too.
template <typename Visit>
void for_each_element(std::string_view list, Visit visit) {
  for (;;) {
    const std::size_t comma = list.find(',');
    visit(trim_blanks(list.substr(0, comma)));
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

// Both copy `size` bytes and return the end of the copy. They may write up to kCopySlack bytes more than that, and read
// as many but never past `readable_end`.
inline constexpr std::size_t kCopySlack = 16;

inline char* copy_run(char* out, const char* from, std::size_t size, const char* readable_end) {
#if defined(__SSE2__)
  if (size <= 64 && readable_end - from >= 64) {
    std::size_t done = 0;
    do {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + done), load16(from + done));
      done += 16;
    } while (done < size);
    return out + size;
  }
#else
  static_cast<void>(readable_end);
#endif
  std::memcpy(out, from, size);
  return out + size;
}

inline char* copy_lower(char* out, const char* from, std::size_t size, const char* readable_end) {
  std::size_t done = 0;
#if defined(__SSE2__)
  while (done < size && readable_end - (from + done) >= 16) {
    const __m128i bytes = load16(from + done);
    const __m128i case_bit = _mm_and_si128(is_between(bytes, 'A', 'Z'), _mm_set1_epi8(0x20));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + done), _mm_or_si128(bytes, case_bit));
    done += 16;
  }
#else
  static_cast<void>(readable_end);
#endif
  for (; done < size; ++done) out[done] = to_lower(from[done]);
  return out + size;
}

}  // namespace proxy::http1
