#include <gtest/gtest.h>

#include <string>

#include "proxy/http1/head.h"

namespace proxy::http1 {
namespace {

constexpr HeadLimits kLimits{.max_bytes = 80 * 1024};

ParseResult parse(std::string_view bytes, ResponseHead& head, bool is_head_request = false) {
  return parse_response_head(bytes, kLimits, is_head_request, head);
}

bool is_accepted(std::string_view bytes) {
  ResponseHead head;
  return parse(bytes, head).status == ParseStatus::complete;
}
bool is_refused(std::string_view bytes) {
  ResponseHead head;
  return parse(bytes, head).status == ParseStatus::error;
}

TEST(ResponseHead, ReadsStatusAndHeaders) {
  const std::string bytes = "HTTP/1.1 200 Fine By Me\r\nServer: x\r\nContent-Length: 5\r\n\r\nhello";
  ResponseHead head;
  ASSERT_EQ(parse(bytes, head).status, ParseStatus::complete);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.size, bytes.size() - 5);
  EXPECT_EQ(head.header_count, 2U);
  EXPECT_EQ(value_of(bytes, *head.find(HeaderId::server)), "x");
  EXPECT_EQ(head.body, BodyKind::length);
  EXPECT_EQ(head.content_length, 5U);
  EXPECT_TRUE(head.is_keep_alive);
}

TEST(ResponseHead, AcceptsEveryStatusLineThatCannotBeMisread) {
  for (const std::string_view line :
       {"HTTP/1.1 200 OK", "HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.0 200 OK", "HTTP/2.0 200 OK", "HTTP/1.1 100 x",
        "HTTP/1.1 999 x", "HTTP/1.1 200 \xe4", "HTTP/1.1 200 a  b", "HTTP/1.1  200 OK", "HTTP/1.1\t200 OK",
        "HTTP/1.1 200\tOK"}) {
    EXPECT_TRUE(is_accepted(std::string(line) + "\r\n\r\n")) << line;
  }
  for (const std::string_view line :
       {"HTTP/1.1 2000 OK", "HTTP/1.1 20 OK", "HTTP/1.1 099 OK", "HTTP/1.1 abc OK", "HTTP/1.1  20 OK", "HTTP/1.1 200OK",
        "HTTP/1.1 -20 OK", "http/1.1 200 OK", "ICY 200 OK", "HTTP/11 200 OK", "HTTP/1.10 200 OK", "HTTP/1.1200 OK",
        "HTTP/1.1 \r200 OK", "HTTP/1.1 200 a\x01", "\r\nHTTP/1.1 200 OK", " HTTP/1.1 200 OK", ""}) {
    EXPECT_TRUE(is_refused(std::string(line) + "\r\n\r\n")) << line;
  }
  EXPECT_TRUE(is_refused("HTTP/1.1 200 OK\n\n"));
}

TEST(ResponseHead, DecidesTheBody) {
  struct {
    std::string_view bytes;
    bool is_head_request;
    BodyKind body;
    bool is_keep_alive;
  } const cases[] = {
      {"HTTP/1.1 200 OK\r\n\r\n", false, BodyKind::until_close, false},
      {"HTTP/1.1 200 OK\r\n\r\n", true, BodyKind::none, true},
      {"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n", true, BodyKind::none, true},
      {"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", false, BodyKind::chunked, true},
      {"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", true, BodyKind::none, true},
      {"HTTP/1.1 204 OK\r\n\r\n", false, BodyKind::none, true},
      {"HTTP/1.1 204 OK\r\ncontent-length: 0\r\n\r\n", false, BodyKind::none, true},
      {"HTTP/1.1 304 OK\r\ncontent-length: 5\r\n\r\n", false, BodyKind::none, true},
      {"HTTP/1.1 304 OK\r\ntransfer-encoding: chunked\r\n\r\n", false, BodyKind::none, true},
      {"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n", false, BodyKind::none, true},
      {"HTTP/1.1 101 Switching Protocols\r\n\r\n", false, BodyKind::none, true},
      {"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", false, BodyKind::length, false},
      {"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\n", false, BodyKind::length, false},
      {"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\n", false, BodyKind::length, true},
      {"HTTP/2.0 200 OK\r\ncontent-length: 1\r\n\r\n", false, BodyKind::length, false},
  };
  for (const auto& c : cases) {
    ResponseHead head;
    ASSERT_EQ(parse(c.bytes, head, c.is_head_request).status, ParseStatus::complete) << c.bytes;
    EXPECT_EQ(head.body, c.body) << c.bytes;
    EXPECT_EQ(head.is_keep_alive, c.is_keep_alive) << c.bytes;
  }
}

TEST(ResponseHead, RefusesFramingThatTwoParsersMayReadDifferently) {
  for (const std::string_view lines :
       {"content-length: 3\r\ntransfer-encoding: chunked\r\n", "content-length: 3\r\ncontent-length: 4\r\n",
        "content-length: 2\r\ncontent-length: 2\r\n", "content-length: 2, 2\r\n", "transfer-encoding: gzip\r\n",
        "transfer-encoding: gzip, chunked\r\n", "transfer-encoding: identity\r\n", "bad header\r\n", "x-a : 1\r\n",
        "a: b\r\n c\r\n", "a: b\x01\r\n", "a: b\nc: d\r\n"}) {
    EXPECT_TRUE(is_refused("HTTP/1.1 200 OK\r\n" + std::string(lines) + "\r\n")) << lines;
  }
  EXPECT_TRUE(is_refused("HTTP/1.1 204 x\r\ncontent-length: 3\r\n\r\n"));
  EXPECT_TRUE(is_refused("HTTP/1.1 204 x\r\ncontent-length: 00\r\n\r\n"));
  EXPECT_TRUE(is_refused("HTTP/1.1 204 x\r\ntransfer-encoding: chunked\r\n\r\n"));
  EXPECT_TRUE(is_refused("HTTP/1.1 103 x\r\ncontent-length: 1\r\n\r\n"));
  EXPECT_TRUE(is_refused("HTTP/1.0 200 x\r\ntransfer-encoding: chunked\r\n\r\n"));
}

TEST(ResponseHead, LimitsItsSize) {
  const std::string start = "HTTP/1.1 200 OK\r\nx-big: ";
  EXPECT_TRUE(is_accepted(start + std::string(79'000, 'a') + "\r\n\r\n"));
  EXPECT_TRUE(is_refused(start + std::string(82'500, 'a') + "\r\n\r\n"));
  EXPECT_TRUE(is_refused("HTTP/1.1 200 OK\r\n" + std::string(70'000, 'n') + ": long name\r\n\r\n"));
}

TEST(ResponseHead, GivesTheSameVerdictHoweverTheBytesWereCut) {
  for (const std::string_view sample :
       {"HTTP/1.1 200 OK\r\nServer: something\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 200OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\na : b\r\n\r\n", "HTTP/1.1 204 OK\r\ncontent-length: 1\r\n\r\n"}) {
    ResponseHead head;
    const ParseResult whole = parse(sample, head);
    ASSERT_NE(whole.status, ParseStatus::incomplete);
    bool is_decided = false;
    for (std::size_t size = 0; size <= sample.size(); ++size) {
      const ParseResult result = parse(sample.substr(0, size), head);
      EXPECT_TRUE(result.status == whole.status ||
                  (result.status == ParseStatus::incomplete && !is_decided && result.error == HeadError::none))
          << sample << " at " << size;
      is_decided |= result.status != ParseStatus::incomplete;
    }
  }
}

}  // namespace
}  // namespace proxy::http1
