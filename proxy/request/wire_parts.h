#pragma once

#include <sys/uio.h>

#include <array>
#include <span>
#include <string_view>

#include "proxy/http1/body.h"

namespace proxy {

// What a message puts on the wire at once: the parts of one send. Holds views; the bytes must outlive the send.
class WireParts {
 public:
  void add(std::string_view bytes) {
    if (bytes.empty()) return;
    parts_[count_++] = {const_cast<char*>(bytes.data()), bytes.size()};
    size_ += bytes.size();
  }

  // Body bytes, as one chunk if the message is chunked; `is_last` ends the body.
  void add_payload(std::string_view payload, bool is_chunked, bool is_last) {
    if (!is_chunked) {
      add(payload);
      return;
    }
    if (!payload.empty()) {
      add({chunk_head_, http1::write_chunk_head(chunk_head_, payload.size())});
      add(payload);
      add(is_last ? "\r\n0\r\n\r\n" : "\r\n");
    } else if (is_last) {
      add("0\r\n\r\n");
    }
  }

  [[nodiscard]] bool is_empty() const { return count_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::span<iovec> parts() { return {parts_.data(), count_}; }

 private:
  std::array<iovec, 4> parts_;
  std::size_t count_ = 0;
  std::size_t size_ = 0;
  char chunk_head_[http1::kMaxChunkHead];
};

}  // namespace proxy
