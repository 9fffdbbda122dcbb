#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cli::http {

// Reads HTTP/1.1 responses from bytes as they arrive; does no I/O. Shares nothing with the proxy's codec on purpose:
// it is what the proxy is judged by.
class ResponseReader {
 public:
  enum class State : std::uint8_t { head, body, complete, failed };

  static constexpr std::size_t kMaxHeadBytes = 256 * 1024;
  static constexpr std::size_t kDefaultKeptBodyBytes = 0;

  // `kept_body_bytes`: how much of the body body() holds; the rest is counted and dropped.
  explicit ResponseReader(std::size_t kept_body_bytes = kDefaultKeptBodyBytes) : kept_body_bytes_(kept_body_bytes) {}

  // Forgets the last response. REQUIRES: called before the request is sent.
  void start(bool is_head_request);

  // Takes what belongs to this response and returns how many bytes that was; fewer than given means the response is
  // complete (or failed) and the rest is not part of it. Interim 1xx responses are read over.
  std::size_t feed(std::string_view bytes);

  // The peer sent FIN: completes a body that lasts until the end of the connection, fails anything else.
  void finish();

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool has_begun() const { return wire_bytes_ > 0; }
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] const std::string& status_line() const { return status_line_; }
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& headers() const { return headers_; }
  // The first value of a header, any case; empty if there is none.
  [[nodiscard]] std::string_view header(std::string_view name) const;
  [[nodiscard]] const std::string& body() const { return body_; }
  [[nodiscard]] std::uint64_t head_bytes() const { return head_bytes_; }
  [[nodiscard]] std::uint64_t body_bytes() const { return body_bytes_; }
  // True when the connection may carry the next request. REQUIRES: complete.
  [[nodiscard]] bool keeps_alive() const { return keeps_alive_; }

 private:
  enum class Framing : std::uint8_t { none, length, chunk_size, chunk_data, chunk_end, trailer, until_close };

  std::size_t feed_head(std::string_view bytes);
  std::size_t feed_body(std::string_view bytes);
  std::size_t take_body(std::string_view bytes);
  bool take_line(std::string_view bytes, std::size_t& used);
  void on_head();
  bool parse_head();
  void choose_framing();
  void on_chunk_size();
  void fail(std::string why);

  std::size_t kept_body_bytes_;
  State state_ = State::head;
  Framing framing_ = Framing::none;
  bool is_head_request_ = false;
  bool keeps_alive_ = true;
  int status_ = 0;
  std::uint64_t remaining_ = 0;  // of the body or of the current chunk
  std::uint64_t wire_bytes_ = 0, head_bytes_ = 0, body_bytes_ = 0;
  std::string text_;  // head, or chunk line, as far as it came
  std::string status_line_;
  std::vector<std::pair<std::string, std::string>> headers_;
  std::string body_;
  std::string failure_;
};

// ASCII only.
bool equals_ignoring_case(std::string_view a, std::string_view b);

}  // namespace cli::http
