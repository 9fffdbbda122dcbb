#include "proxy/http1/body.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace proxy::http1 {
namespace {

// What is not payload must not go on for ever.
constexpr std::uint32_t kMaxExtensionBytes = 4 * 1024;  // of one chunk, blanks before it included
constexpr std::uint32_t kMaxTrailerBytes = 60 * 1024;
constexpr std::uint8_t kMaxSizeDigits = 16;

}  // namespace

void BodyDecoder::start(BodyKind kind, std::uint64_t content_length) {
  *this = {};
  kind_ = kind;
  remaining_ = kind == BodyKind::length ? content_length : 0;
  is_done_ = kind == BodyKind::none || (kind == BodyKind::length && content_length == 0);
}

BodyDecoder::Step BodyDecoder::decode(char* data, std::size_t size) {
  if (is_done_) return {};
  switch (kind_) {
    case BodyKind::none:
      return {};
    case BodyKind::until_close:
      return {.consumed = size, .payload = size};
    case BodyKind::length: {
      const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(size, remaining_));
      remaining_ -= taken;
      is_done_ = remaining_ == 0;
      return {.consumed = taken, .payload = taken};
    }
    case BodyKind::chunked:
      return decode_chunked(data, size);
  }
  return {};
}

BodyDecoder::Step BodyDecoder::decode_chunked(char* data, std::size_t size) {
  Step step;
  while (step.consumed < size && !is_done_) {
    if (state_ == State::payload) {
      const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(size - step.consumed, remaining_));
      if (step.payload != step.consumed) std::memmove(data + step.payload, data + step.consumed, taken);
      step.payload += taken;
      step.consumed += taken;
      remaining_ -= taken;
      if (remaining_ == 0) state_ = State::payload_return;
      continue;
    }
    if (!take_framing_byte(data[step.consumed])) {
      if (error_ == BodyError::none) error_ = BodyError::framing;
      step.is_error = true;
      return step;
    }
    ++step.consumed;
  }
  return step;
}

bool BodyDecoder::take_trailer_byte(char c, CharClass allowed, BodyError otherwise) {
  if (++trailer_bytes_ > kMaxTrailerBytes) {
    error_ = BodyError::too_large;
    return false;
  }
  if (is_in_class(c, allowed)) return true;
  error_ = otherwise;
  return false;
}

// One byte of what surrounds the payload. False: it does not belong there.
bool BodyDecoder::take_framing_byte(char c) {
  const auto expect = [&](char wanted, State next) {
    state_ = next;
    return c == wanted;
  };
  switch (state_) {
    case State::size_start:
    case State::size_digits: {
      const int digit = hex_value(c);
      if (digit >= 0) {
        state_ = State::size_digits;
        remaining_ = remaining_ << 4 | static_cast<std::uint64_t>(digit);
        return ++size_digits_ <= kMaxSizeDigits;
      }
      if (state_ == State::size_start) return false;
      if (c == '\r') return expect('\r', State::size_line_feed);
      if (c == ';') return expect(';', State::extension);
      return is_blank(c) && expect(c, State::size_blank);
    }
    case State::size_blank:
      if (is_blank(c)) return ++extension_bytes_ <= kMaxExtensionBytes;
      return expect(';', State::extension);
    case State::extension:
      if (c == '\r') return expect('\r', State::size_line_feed);
      return is_in_class(c, kValue) && ++extension_bytes_ <= kMaxExtensionBytes;
    case State::size_line_feed:
      size_digits_ = 0;
      extension_bytes_ = 0;
      return expect('\n', remaining_ == 0 ? State::trailer_start : State::payload);
    case State::payload_return:
      return expect('\r', State::payload_line_feed);
    case State::payload_line_feed:
      return expect('\n', State::size_start);
    case State::trailer_start:
      if (c == '\r') return expect('\r', State::end_line_feed);
      state_ = State::trailer_name;
      return take_trailer_byte(c, kToken, BodyError::framing);
    case State::trailer_name:
      if (c == ':') {
        state_ = State::trailer_value;
        return take_trailer_byte(c, kValue, BodyError::framing);
      }
      return take_trailer_byte(c, kToken, BodyError::framing);
    case State::trailer_value:
      if (c == '\r') return expect('\r', State::trailer_line_feed);
      return take_trailer_byte(c, kValue, BodyError::invalid_characters);
    case State::trailer_line_feed:
      return expect('\n', State::trailer_start);
    case State::end_line_feed:
      is_done_ = true;
      return c == '\n';
    case State::payload:
      break;
  }
  return false;
}

bool BodyDecoder::finish_on_close() {
  if (kind_ == BodyKind::until_close) is_done_ = true;
  return is_done_;
}

std::size_t write_chunk_head(char* out, std::uint64_t payload_size) {
  constexpr char kDigits[] = "0123456789abcdef";
  const std::size_t digits = std::max<std::size_t>(1, (static_cast<std::size_t>(std::bit_width(payload_size)) + 3) / 4);
  for (std::size_t i = digits; i-- > 0; payload_size >>= 4) out[i] = kDigits[payload_size & 0xf];
  out[digits] = '\r';
  out[digits + 1] = '\n';
  return digits + 2;
}

}  // namespace proxy::http1
