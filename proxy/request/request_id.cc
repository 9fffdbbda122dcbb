#include "proxy/request/request_id.h"

namespace proxy {

void make_request_id(base::Random& random, std::string& out) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::uint64_t high = random.next();
  std::uint64_t low = random.next();
  high = (high & ~0xf000ULL) | 0x4000ULL;                          // version 4
  low = (low & ~(0xc000000000000000ULL)) | 0x8000000000000000ULL;  // variant 1
  char text[36];
  char* at = text;
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *at++ = '-';
    const std::uint64_t word = i < 8 ? high : low;
    const auto byte = static_cast<unsigned>((word >> (56 - 8 * (i % 8))) & 0xff);
    *at++ = kDigits[byte >> 4];
    *at++ = kDigits[byte & 15];
  }
  out.assign(text, sizeof text);
}

}  // namespace proxy
