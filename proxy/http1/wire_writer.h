#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "proxy/http1/scan.h"

namespace proxy::http1 {

// Appends to a string through a plain pointer. The room is claimed once, so the pieces of a head cost a copy each and
// nothing else; what was not used is given back at the end.
class WireWriter {
 public:
  // REQUIRES: at most `max_bytes` are written. What is copied with put_run() and put_lower() lies in `source`.
  WireWriter(std::string& out, std::size_t max_bytes, std::string_view source)
      : out_(out), source_end_(source.data() + source.size()) {
    const std::size_t used = out.size();
    out.resize(used + max_bytes + kCopySlack);
    at_ = out.data() + used;
  }
  ~WireWriter() { out_.resize(static_cast<std::size_t>(at_ - out_.data())); }
  WireWriter(const WireWriter&) = delete;
  WireWriter& operator=(const WireWriter&) = delete;

  // For literals and for what does not lie in the source.
  void put(std::string_view text) {
    if (text.empty()) return;  // data() may be null
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void put(char c) { *at_++ = c; }
  void put_number(std::int64_t number) { at_ = std::to_chars(at_, at_ + kMaxNumberBytes, number).ptr; }
  void put_run(std::string_view text) { at_ = copy_run(at_, text.data(), text.size(), source_end_); }
  void put_lower(std::string_view text) { at_ = copy_lower(at_, text.data(), text.size(), source_end_); }

  void put_header(std::string_view name, std::string_view value) {
    put(name);
    put(": ");
    put(value);
    put("\r\n");
  }
  void put_header(std::string_view name, std::int64_t value) {
    put(name);
    put(": ");
    put_number(value);
    put("\r\n");
  }

  static constexpr std::size_t kMaxNumberBytes = 20;

 private:
  std::string& out_;
  char* at_ = nullptr;
  const char* source_end_;
};

}  // namespace proxy::http1
