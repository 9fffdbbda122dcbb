#include "cli/http/response_reader.h"

#include <gtest/gtest.h>

namespace cli::http {
namespace {

using State = ResponseReader::State;

struct Read {
  State state;
  int status;
  std::string body;
  bool keeps_alive;
  std::size_t left_over;
};

// Feeds the bytes in pieces of `step`, then a FIN if `closes`.
Read read(std::string_view bytes, std::size_t step, bool closes, bool is_head_request = false) {
  ResponseReader reader(1000);
  reader.start(is_head_request);
  std::size_t used = 0;
  while (used < bytes.size()) {
    const auto piece = bytes.substr(used, step);
    const auto taken = reader.feed(piece);
    used += taken;
    if (taken < piece.size()) break;
  }
  if (closes) reader.finish();
  return {reader.state(), reader.status(), reader.body(), reader.keeps_alive(), bytes.size() - used};
}

TEST(ResponseReader, ReadsEveryFramingInPiecesOfAnySize) {
  struct Case {
    std::string name, bytes, body;
    int status;
    bool keeps_alive, closes, is_head_request;
  };
  const std::vector<Case> cases{
      {"length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", 200, true, false, false},
      {"no body", "HTTP/1.1 204 No Content\r\n\r\n", "", 204, true, false, false},
      {"length zero", "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "", 404, true, false, false},
      {"no reason", "HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", "", 200, true, false, false},
      {"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n",
       "hello world", 200, true, false, false},
      {"trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\na: b\r\nc: d\r\n\r\n", "x", 200,
       true, false, false},
      {"until close", "HTTP/1.1 200 OK\r\n\r\nhello", "hello", 200, false, true, false},
      {"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi", 200, false, false, false},
      {"HTTP/1.0 kept", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nhi", "hi", 200, true,
       false, false},
      {"closing", "HTTP/1.1 503 Service Unavailable\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\n!", "!", 503,
       false, false, false},
      {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "", 200, true, false, true},
      {"interim",
       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
       "1\r\n\r\nx",
       "x", 200, true, false, false},
  };
  for (const auto& expected : cases) {
    for (std::size_t step = 1; step <= expected.bytes.size(); ++step) {
      const auto got = read(expected.bytes, step, expected.closes, expected.is_head_request);
      ASSERT_EQ(got.state, State::complete) << expected.name << " in steps of " << step;
      ASSERT_EQ(got.status, expected.status) << expected.name;
      ASSERT_EQ(got.body, expected.body) << expected.name << " in steps of " << step;
      ASSERT_EQ(got.keeps_alive, expected.keeps_alive) << expected.name;
      ASSERT_EQ(got.left_over, 0U) << expected.name;
    }
  }
}

TEST(ResponseReader, LeavesTheNextResponseAlone) {
  const std::string one = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
  EXPECT_EQ(read(one + one, 1000, false).left_over, one.size());
  EXPECT_EQ(read("HTTP/1.1 204 x\r\n\r\nabc", 1000, false).left_over, 3U);
}

TEST(ResponseReader, FailsOnWhatIsNoResponse) {
  for (const auto* bytes : {
           "SSH-2.0-OpenSSH\r\n\r\n",
           "HTTP/2 200 OK\r\n\r\n",
           "HTTP/1.1 2x0 OK\r\n\r\n",
           "HTTP/1.1 2000\r\n\r\n",
           "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello",
       }) {
    EXPECT_EQ(read(bytes, 1000, false).state, State::failed) << bytes;
  }
}

TEST(ResponseReader, FailsWhenTheConnectionEndsTooEarly) {
  for (const auto* bytes : {"", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
                            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"}) {
    EXPECT_EQ(read(bytes, 1000, true).state, State::failed) << bytes;
  }
}

TEST(ResponseReader, BoundsTheHead) {
  const std::string head = "HTTP/1.1 200 OK\r\nx: " + std::string(300'000, 'a');
  EXPECT_EQ(read(head, 10'000, false).state, State::failed);
}

TEST(ResponseReader, KeepsOnlySoMuchOfTheBody) {
  ResponseReader reader(4);
  reader.start(false);
  reader.feed("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nX-Y: z\r\n\r\n0123456789");
  EXPECT_EQ(reader.body(), "0123");
  EXPECT_EQ(reader.body_bytes(), 10U);
  EXPECT_EQ(reader.header("x-y"), "z");
  EXPECT_EQ(reader.header("absent"), "");
}

}  // namespace
}  // namespace cli::http
