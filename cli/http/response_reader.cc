#include "cli/http/response_reader.h"

#include <algorithm>
#include <charconv>

namespace cli::http {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// True when `word` is one of the comma-separated parts of `list`.
bool lists(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    if (equals_ignoring_case(trim(list.substr(0, comma)), word)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

template <typename Number>
bool parse_all(std::string_view text, Number& value, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

void ResponseReader::start(bool is_head_request) {
  state_ = State::head;
  framing_ = Framing::none;
  is_head_request_ = is_head_request;
  keeps_alive_ = true;
  status_ = 0;
  remaining_ = wire_bytes_ = head_bytes_ = body_bytes_ = 0;
  text_.clear();
  status_line_.clear();
  headers_.clear();
  body_.clear();
  failure_.clear();
}

std::size_t ResponseReader::feed(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size() && (state_ == State::head || state_ == State::body)) {
    const auto rest = bytes.substr(used);
    used += state_ == State::head ? feed_head(rest) : feed_body(rest);
  }
  wire_bytes_ += used;
  return used;
}

void ResponseReader::finish() {
  if (state_ == State::body && framing_ == Framing::until_close) {
    state_ = State::complete;
  } else if (state_ == State::head || state_ == State::body) {
    fail(has_begun() ? "connection closed in the middle of a response" : "connection closed without a response");
  }
}

std::string_view ResponseReader::header(std::string_view name) const {
  for (const auto& [key, value] : headers_) {
    if (equals_ignoring_case(key, name)) return value;
  }
  return {};
}

std::size_t ResponseReader::feed_head(std::string_view bytes) {
  // The end of the head may lie across two reads: look at the last three bytes of the old part again.
  const std::size_t before = text_.size();
  text_.append(bytes);
  const auto end = text_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
  if (end == std::string::npos) {
    if (text_.size() > kMaxHeadBytes) fail("response head is larger than 256 KiB");
    return bytes.size();
  }
  const std::size_t head_size = end + 4;
  text_.resize(head_size);
  on_head();
  return head_size - before;
}

void ResponseReader::on_head() {
  head_bytes_ += text_.size();
  if (!parse_head()) return;
  text_.clear();
  if (status_ >= 100 && status_ < 200 && status_ != 101) {
    headers_.clear();
    return;  // interim: the real head follows
  }
  choose_framing();
}

bool ResponseReader::parse_head() {
  headers_.clear();
  std::string_view rest(text_.data(), text_.size() - 2);
  auto line_end = rest.find("\r\n");
  status_line_ = std::string(rest.substr(0, line_end));
  const std::string_view line(status_line_);
  const bool is_http = line.starts_with("HTTP/1.") && line.size() >= 12 && line[8] == ' ';
  if (!is_http || !parse_all(line.substr(9, 3), status_) || (line.size() > 12 && line[12] != ' ')) {
    fail("not an HTTP/1 response: " + status_line_.substr(0, 60));
    return false;
  }
  keeps_alive_ = line[7] != '0';
  rest.remove_prefix(line_end + 2);
  while (!rest.empty()) {
    line_end = rest.find("\r\n");
    const auto field = rest.substr(0, line_end);
    const auto colon = field.find(':');
    if (colon == std::string_view::npos || colon == 0) {
      fail("bad header line: " + std::string(field.substr(0, 60)));
      return false;
    }
    headers_.emplace_back(field.substr(0, colon), trim(field.substr(colon + 1)));
    rest.remove_prefix(line_end + 2);
  }
  return true;
}

void ResponseReader::choose_framing() {
  if (const auto connection = header("connection"); lists(connection, "close")) {
    keeps_alive_ = false;
  } else if (lists(connection, "keep-alive")) {
    keeps_alive_ = true;
  }
  state_ = State::body;
  const auto encoding = header("transfer-encoding");
  const auto length = header("content-length");
  if (is_head_request_ || status_ == 101 || status_ == 204 || status_ == 304) {
    state_ = State::complete;
  } else if (!encoding.empty()) {
    if (!equals_ignoring_case(encoding, "chunked")) return fail("unknown Transfer-Encoding " + std::string(encoding));
    framing_ = Framing::chunk_size;
  } else if (!length.empty()) {
    if (!parse_all(length, remaining_)) return fail("bad Content-Length " + std::string(length.substr(0, 40)));
    framing_ = Framing::length;
    if (remaining_ == 0) state_ = State::complete;
  } else {
    framing_ = Framing::until_close;
    keeps_alive_ = false;
  }
}

std::size_t ResponseReader::take_body(std::string_view bytes) {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), remaining_));
  remaining_ -= count;
  body_bytes_ += count;
  if (body_.size() < kept_body_bytes_) body_.append(bytes.substr(0, std::min(count, kept_body_bytes_ - body_.size())));
  return count;
}

// Collects a line in text_ (without its end); true when it is whole.
bool ResponseReader::take_line(std::string_view bytes, std::size_t& used) {
  const auto newline = bytes.find('\n');
  used = newline == std::string_view::npos ? bytes.size() : newline + 1;
  text_.append(bytes.substr(0, used));
  if (text_.size() > kMaxHeadBytes) fail("chunk line is larger than 256 KiB");
  if (newline == std::string_view::npos || state_ == State::failed) return false;
  if (!text_.ends_with("\r\n")) {
    fail("line without CRLF in a chunked body");
    return false;
  }
  text_.resize(text_.size() - 2);
  return true;
}

void ResponseReader::on_chunk_size() {
  const auto size = trim(std::string_view(text_).substr(0, text_.find(';')));
  if (!parse_all(size, remaining_, 16)) return fail("bad chunk size " + std::string(size.substr(0, 40)));
  framing_ = remaining_ == 0 ? Framing::trailer : Framing::chunk_data;
}

std::size_t ResponseReader::feed_body(std::string_view bytes) {
  std::size_t used = 0;
  switch (framing_) {
    case Framing::length:
      used = take_body(bytes);
      if (remaining_ == 0) state_ = State::complete;
      return used;
    case Framing::until_close:
      remaining_ = bytes.size();
      return take_body(bytes);
    case Framing::chunk_data:
      used = take_body(bytes);
      if (remaining_ == 0) framing_ = Framing::chunk_end;
      return used;
    case Framing::chunk_size:
      if (take_line(bytes, used)) {
        on_chunk_size();
        text_.clear();
      }
      return used;
    case Framing::chunk_end:
      if (take_line(bytes, used)) {
        if (!text_.empty()) fail("chunk is longer than its size says");
        framing_ = Framing::chunk_size;
        text_.clear();
      }
      return used;
    case Framing::trailer:
      if (take_line(bytes, used)) {
        if (text_.empty()) state_ = State::complete;
        text_.clear();
      }
      return used;
    case Framing::none:
      break;
  }
  fail("response without a head");
  return used;
}

void ResponseReader::fail(std::string why) {
  state_ = State::failed;
  keeps_alive_ = false;
  failure_ = std::move(why);
}

}  // namespace cli::http
