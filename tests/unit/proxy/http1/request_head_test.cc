#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proxy/http1/head.h"
#include "proxy/http1/scan.h"

using namespace std::string_literals;

namespace proxy::http1 {
namespace {

ParseResult parse(std::string_view bytes, RequestHead& head, const HeadLimits& limits = {}) {
  return parse_request_head(bytes, limits, head);
}

// What the parser makes of a whole head: the error, or none.
struct Verdict {
  ParseStatus status = ParseStatus::incomplete;
  HeadError error = HeadError::none;
  bool operator==(const Verdict&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Verdict& verdict) {
  return out << "status " << static_cast<int>(verdict.status) << " error " << static_cast<int>(verdict.error);
}
Verdict verdict_on(std::string_view bytes, const HeadLimits& limits = {}) {
  RequestHead head;
  const ParseResult result = parse(bytes, head, limits);
  return {result.status, result.error};
}
constexpr Verdict kAccepted{ParseStatus::complete, HeadError::none};
constexpr Verdict kMore{ParseStatus::incomplete, HeadError::none};
Verdict refused(HeadError error) { return {ParseStatus::error, error}; }

std::string with_lines(std::string_view lines) {
  return "POST /x HTTP/1.1\r\nHost: greeter-service\r\n" + std::string(lines) + "\r\n";
}

TEST(RequestHead, FindsEveryPartOfATypicalHead) {
  const std::string bytes =
      "GET /version?x=1 HTTP/1.1\r\nHost: greeter-service:3000\r\nUser-Agent: curl/7.88.1\r\nAccept:*/*\r\n"
      "X-Empty:\r\nX-Blanks: \t a b \t\r\n\r\nrest";
  RequestHead head;
  ASSERT_EQ(parse(bytes, head).status, ParseStatus::complete);
  EXPECT_EQ(head.size, bytes.size() - 4);
  EXPECT_EQ(bytes.substr(0, head.method_size), "GET");
  EXPECT_EQ(bytes.substr(head.target_offset, head.target_size), "/version?x=1");
  ASSERT_EQ(head.header_count, 5U);
  const std::vector<std::pair<std::string, std::string>> expected = {{"Host", "greeter-service:3000"},
                                                                     {"User-Agent", "curl/7.88.1"},
                                                                     {"Accept", "*/*"},
                                                                     {"X-Empty", ""},
                                                                     {"X-Blanks", "a b"}};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(name_of(bytes, head.headers[i]), expected[i].first);
    EXPECT_EQ(value_of(bytes, head.headers[i]), expected[i].second);
  }
  EXPECT_EQ(head.find(HeaderId::authority_host), &head.headers[0]);
  EXPECT_EQ(head.find(HeaderId::user_agent), &head.headers[1]);
  EXPECT_EQ(head.find(HeaderId::content_length), nullptr);
  EXPECT_EQ(head.body, BodyKind::none);
  EXPECT_TRUE(head.is_keep_alive);
  EXPECT_FALSE(head.is_head_method);
}

TEST(RequestHead, KnowsItsHeadersInAnyCase) {
  const std::string bytes =
      with_lines("CONTENT-length: 3\r\nx-REQUEST-id: a\r\nX-Envoy-Retry-On: 5xx\r\nTE: trailers\r\n");
  RequestHead head;
  ASSERT_EQ(parse(bytes, head).status, ParseStatus::complete);
  EXPECT_EQ(head.headers[1].id, HeaderId::content_length);
  EXPECT_EQ(head.headers[2].id, HeaderId::request_id);
  EXPECT_EQ(head.headers[3].id, HeaderId::client_removed);
  EXPECT_EQ(head.headers[4].id, HeaderId::te);
}

TEST(RequestHead, ReadsTheFraming) {
  struct {
    std::string_view lines;
    BodyKind body;
    std::uint64_t length;
  } const cases[] = {
      {"", BodyKind::none, 0},
      {"Content-Length: 0\r\n", BodyKind::length, 0},
      {"Content-Length: 00\r\n", BodyKind::length, 0},
      {"Content-Length:12\r\n", BodyKind::length, 12},
      {"Content-Length: 9223372036854775807\r\n", BodyKind::length, 9223372036854775807U},
      {"Transfer-Encoding: chunked\r\n", BodyKind::chunked, 0},
      {"Transfer-Encoding: \tChunked \r\n", BodyKind::chunked, 0},
      {"Connection: content-length\r\nContent-Length: 3\r\n", BodyKind::length, 3},
  };
  for (const auto& c : cases) {
    RequestHead head;
    ASSERT_EQ(parse(with_lines(c.lines), head).status, ParseStatus::complete) << c.lines;
    EXPECT_EQ(head.body, c.body) << c.lines;
    EXPECT_EQ(head.content_length, c.length) << c.lines;
  }
}

// The classics of request smuggling, and what else two parsers could read differently.
TEST(RequestHead, RefusesWhatTwoParsersMayReadDifferently) {
  struct {
    std::string_view lines;
    HeadError error;
  } const cases[] = {
      {"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", HeadError::length_and_chunked},
      {"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", HeadError::length_and_chunked},
      {"Transfer-Encoding: gzip\r\nContent-Length: 3\r\n", HeadError::length_and_chunked},
      {"Content-Length: 3\r\nContent-Length: 3\r\n", HeadError::invalid_content_length},
      {"Content-Length: 3\r\nContent-Length: 4\r\n", HeadError::invalid_content_length},
      {"Content-Length: 3, 3\r\n", HeadError::invalid_content_length},
      {"Content-Length: \r\n", HeadError::invalid_content_length},
      {"Content-Length: +3\r\n", HeadError::invalid_content_length},
      {"Content-Length: -3\r\n", HeadError::invalid_content_length},
      {"Content-Length: 0x3\r\n", HeadError::invalid_content_length},
      {"Content-Length: 3 3\r\n", HeadError::invalid_content_length},
      {"Content-Length: 3a\r\n", HeadError::invalid_content_length},
      {"Content-Length: 18446744073709551616\r\n", HeadError::invalid_content_length},
      {"Content-Length: 99999999999999999999999\r\n", HeadError::invalid_content_length},
      {"Transfer-Encoding: gzip, chunked\r\n", HeadError::invalid_transfer_encoding},
      {"Transfer-Encoding: chunked, gzip\r\n", HeadError::invalid_transfer_encoding},
      {"Transfer-Encoding: chunked, chunked\r\n", HeadError::invalid_transfer_encoding},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", HeadError::invalid_transfer_encoding},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", HeadError::invalid_transfer_encoding},
      {"Transfer-Encoding: identity\r\n", HeadError::invalid_transfer_encoding},
      {"Transfer-Encoding: xchunked\r\n", HeadError::invalid_transfer_encoding},
      {"Transfer-Encoding: chunked;q=1\r\n", HeadError::invalid_transfer_encoding},
      {"Transfer-Encoding: chunked,\r\n", HeadError::invalid_transfer_encoding},
      {"Transfer-Encoding: \"chunked\"\r\n", HeadError::invalid_transfer_encoding},
      {"Transfer-Encoding:\r\n", HeadError::invalid_transfer_encoding},
      {"Transfer-Encoding : chunked\r\n", HeadError::codec_error},
      {"Transfer-Encoding\t: chunked\r\n", HeadError::codec_error},
      {" Transfer-Encoding: chunked\r\n", HeadError::codec_error},
      {"Transfer-Encoding\r\n : chunked\r\n", HeadError::codec_error},
      {"X: 1\r\n folded\r\n", HeadError::codec_error},
      {"X: 1\r\n\tfolded\r\n", HeadError::codec_error},
      {"X: 1\r\n \r\n", HeadError::codec_error},
      {"X: 1\nY: 2\r\n", HeadError::codec_error},
      {"X: 1\rY: 2\r\n", HeadError::codec_error},
      {"X: 1\r\r\n", HeadError::codec_error},
      {"X: 1\r\n\rY: 2\r\n", HeadError::codec_error},
      {"X\n: 1\r\n", HeadError::codec_error},
      {"\n", HeadError::codec_error},
      {": 1\r\n", HeadError::codec_error},
      {"X\r\n", HeadError::codec_error},
      {"X Y: 1\r\n", HeadError::codec_error},
      {"(X): 1\r\n", HeadError::codec_error},
      {"X\x80: 1\r\n", HeadError::codec_error},
      {"Host: greeter-service\r\n", HeadError::codec_error},
      {"host: other\r\n", HeadError::codec_error},
      {"X: a\x01\r\n", HeadError::invalid_characters},
      {"X: a\x7f\r\n", HeadError::invalid_characters},
      {"X: a\x0b\r\n", HeadError::invalid_characters},
      {"X: a long value before the byte that spoils it \x1f and more after it\r\n", HeadError::invalid_characters},
  };
  for (const auto& c : cases) EXPECT_EQ(verdict_on(with_lines(c.lines)), refused(c.error)) << c.lines;
  EXPECT_EQ(verdict_on(with_lines("X: a\0b\r\n"s)), refused(HeadError::invalid_characters));
  EXPECT_EQ(verdict_on(with_lines("X\0: b\r\n"s)), refused(HeadError::invalid_characters));
  EXPECT_EQ(verdict_on("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), refused(HeadError::codec_error));
}

TEST(RequestHead, AcceptsWhatOnlyLooksOdd) {
  for (const std::string_view lines : {"X:\r\n", "X:\t\r\n", "!#$%&'*+-.^_`|~: 1\r\n", "X: a\tb\r\n", "X: \x80\xff\r\n",
                                       "X: \"'<>\\\r\n", "X-Transfer-Encoding: gzip\r\n", "TE: deflate\r\n"}) {
    EXPECT_EQ(verdict_on(with_lines(lines)), kAccepted) << lines;
  }
}

TEST(RequestHead, TellsHttpFromOtherProtocolsByTheFirstLine) {
  struct {
    std::string_view bytes;
    Verdict verdict;
  } const cases[] = {
      {"GET / HTTP/1.0\r\n\r\n", kAccepted},
      {"FOO-bar /x HTTP/1.1\r\n\r\n", kAccepted},
      {"get /x HTTP/1.1\r\n\r\n", kAccepted},
      {"OPTIONS * HTTP/1.1\r\n\r\n", kAccepted},
      {"GET http://h/x HTTP/1.1\r\n\r\n", kAccepted},
      {"GET http:///x HTTP/1.1\r\n\r\n", kAccepted},  // a bad URL, but clearly HTTP
      {"CONNECT h:80 HTTP/1.1\r\n\r\n", kAccepted},
      {"GET /#f HTTP/1.1\r\n\r\n", kAccepted},
      {"GET /a\"<>|b HTTP/1.1\r\n\r\n", kAccepted},
      {"hello world\r\n\r\n", refused(HeadError::not_http)},
      {"EHLO x\r\n", refused(HeadError::not_http)},
      {"\x16\x03\x01", refused(HeadError::not_http)},
      {"SSH-2.0-OpenSSH_9\r\n", refused(HeadError::not_http)},
      {"*1\r\n$4\r\nPING\r\n", refused(HeadError::not_http)},
      {" GET / HTTP/1.1\r\n", refused(HeadError::not_http)},
      {"\nGET / HTTP/1.1\r\n", refused(HeadError::not_http)},
      {"\r\rGET / HTTP/1.1\r\n", refused(HeadError::not_http)},
      {"GET\r\n", refused(HeadError::not_http)},
      {"GET /\r\n", refused(HeadError::not_http)},
      {"GET  HTTP/1.1\r\n", refused(HeadError::not_http)},
      {"GET foo HTTP/1.1\r\n", refused(HeadError::not_http)},
      {"GET ?q HTTP/1.1\r\n", refused(HeadError::not_http)},
      {"GET http:/x HTTP/1.1\r\n", refused(HeadError::not_http)},
      {"GET ://x HTTP/1.1\r\n", refused(HeadError::not_http)},
      {"GET 1http://x/ HTTP/1.1\r\n", refused(HeadError::not_http)},
      {"GET http://gre\"eter/x HTTP/1.1\r\n", refused(HeadError::not_http)},
      {"GET http://h#f HTTP/1.1\r\n", refused(HeadError::not_http)},
      {"CONNECT {\"verbose\":false} HTTP/1.1\r\n", refused(HeadError::not_http)},
      {"GET /a b HTTP/1.1\r\n", refused(HeadError::not_http)},
      {"GET /a\tb HTTP/1.1\r\n", refused(HeadError::not_http)},
      {"GET /a\x01 HTTP/1.1\r\n", refused(HeadError::not_http)},
      {"GET /\xe4 HTTP/1.1\r\n", refused(HeadError::not_http)},
      {"GE(T / HTTP/1.1\r\n", refused(HeadError::not_http)},
      {"GET / HTTP/1.2\r\n", refused(HeadError::not_http)},
      {"GET / HTTP/2.0\r\n", refused(HeadError::not_http)},
      {"GET / HTTP/0.9\r\n", refused(HeadError::not_http)},
      {"GET / HTTP/11\r\n", refused(HeadError::not_http)},
      {"GET / HTTP/1.10\r\n", refused(HeadError::not_http)},
      {"GET / HTTP/1\r\n", refused(HeadError::not_http)},
      {"GET / http/1.1\r\n", refused(HeadError::not_http)},
      {"GET / HTTPS/1.1\r\n", refused(HeadError::not_http)},
      {"GET / HTTP/1.1\rX", refused(HeadError::not_http)},
      {"OPTIONS rtsp://h/x RTSP/1.0\r\n", refused(HeadError::not_http)},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", refused(HeadError::h2_preface)},
      {"PRI * HTTP/1.1\r\n", refused(HeadError::not_http)},
      // Blanks and line ends that some servers forgive: a request, but a bad one.
      {"GET  / HTTP/1.1\r\n", refused(HeadError::codec_error)},
      {"GET /  HTTP/1.1\r\n", refused(HeadError::codec_error)},
      {"GET\t/ HTTP/1.1\r\n", refused(HeadError::codec_error)},
      {"GET / HTTP/1.1 \r\n", refused(HeadError::codec_error)},
      {"GET / HTTP/1.1\n", refused(HeadError::codec_error)},
  };
  for (const auto& c : cases) EXPECT_EQ(verdict_on(c.bytes), c.verdict) << c.bytes;
}

TEST(RequestHead, SaysNotHttpAtTheFirstByteThatShowsIt) {
  for (const std::string_view prefix : {"\x16", "hello w\r", "SSH-2.0-OpenSSH_9\r", "*1\r", "GET f ", "GET / HTTPS",
                                        "GET http:x", "MQTT\x04", "PRI * HTTP/1", "CONNECT {"}) {
    EXPECT_EQ(verdict_on(prefix), refused(HeadError::not_http)) << prefix;
    EXPECT_EQ(verdict_on(prefix.substr(0, prefix.size() - 1)), kMore) << prefix;
  }
  EXPECT_EQ(verdict_on(std::string(32, 'A')), kMore);
  EXPECT_EQ(verdict_on(std::string(33, 'A')), refused(HeadError::not_http));
  EXPECT_EQ(verdict_on(""), kMore);
  EXPECT_EQ(verdict_on("\r"), kMore);  // perhaps half of an empty line
}

// Hosts are looked at in blocks: each byte at each place of one, alone.
TEST(RequestHead, TakesTheSameCharactersAnywhereInAHost) {
  for (std::size_t size = 1; size < 40; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (int c = 0; c < 256; ++c) {
        std::string host(size, 'h');
        host[at] = static_cast<char>(c);
        ASSERT_EQ(is_host_text(host), is_in_class(host[at], kHost)) << host;
      }
    }
  }
}

TEST(RequestHead, ChecksTheHost) {
  for (const std::string_view host :
       {"greeter-service", "greeter-service:abc", "[::1]:3000", "user@greeter-service", "", "a_b~c!$&'()*+,;=%41"}) {
    EXPECT_EQ(verdict_on("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"), kAccepted) << host;
  }
  for (const std::string_view host :
       {"gre eter", "a/x", "a?b", "a#b", "a\\b", "a\"b", "<a>", "a^b", "a`b", "a{b", "a|b", "\xe4", "a\tb"}) {
    EXPECT_EQ(verdict_on("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"),
              refused(HeadError::invalid_authority))
        << host;
  }
}

TEST(RequestHead, KeepsTheConnectionByVersionAndConnection) {
  struct {
    std::string_view version, lines;
    bool is_kept;
  } const cases[] = {
      {"1.1", "", true},
      {"1.1", "Connection: close\r\n", false},
      {"1.1", "Connection: te, Close\r\n", false},
      {"1.1", "Connection: te\r\nConnection: close\r\n", false},
      {"1.1", "Connection: closed\r\n", true},
      {"1.1", "Proxy-Connection: close\r\n", false},
      {"1.0", "", false},
      {"1.0", "Connection: keep-alive\r\n", true},
      {"1.0", "Connection: Keep-Alive, te\r\n", true},
      {"1.0", "Connection: keep-alive, close\r\n", false},
  };
  for (const auto& c : cases) {
    RequestHead head;
    const std::string bytes = "GET / HTTP/" + std::string(c.version) + "\r\n" + std::string(c.lines) + "\r\n";
    ASSERT_EQ(parse(bytes, head).status, ParseStatus::complete) << bytes;
    EXPECT_EQ(head.is_keep_alive, c.is_kept) << bytes;
    EXPECT_EQ(head.minor_version, c.version == "1.1" ? 1 : 0);
  }
}

TEST(RequestHead, DropsWhatConnectionNames) {
  const std::string bytes =
      with_lines("X-One: 1\r\nConnection: x-one, X-Two\r\nX-Two: 2\r\nx-one: 3\r\nX-Three: 4\r\n");
  RequestHead head;
  ASSERT_EQ(parse(bytes, head).status, ParseStatus::complete);
  ASSERT_EQ(head.header_count, 3U);
  EXPECT_EQ(name_of(bytes, head.headers[1]), "Connection");
  EXPECT_EQ(name_of(bytes, head.headers[2]), "X-Three");
  EXPECT_EQ(head.find(HeaderId::connection), &head.headers[1]);

  RequestHead without_host;
  ASSERT_EQ(parse(with_lines("Connection: host\r\n"), without_host).status, ParseStatus::complete);
  EXPECT_EQ(without_host.find(HeaderId::authority_host), nullptr);
}

TEST(RequestHead, RefusesAConnectionThatNamesWhatItMustNot) {
  for (const std::string_view names :
       {"x-forwarded-for", "X-Forwarded-Host, close", "x-forwarded-proto", ":path", "a,b,c,d,e,f,g,h,i,j"}) {
    EXPECT_EQ(verdict_on(with_lines("Connection: " + std::string(names) + "\r\n")),
              refused(HeadError::invalid_connection))
        << names;
  }
  EXPECT_EQ(verdict_on(with_lines("Connection: a,b,c,d,e,f,g,h,i\r\n")), kAccepted);
}

TEST(RequestHead, KnowsUpgrades) {
  struct {
    std::string_view lines;
    bool has_upgrade, is_websocket;
  } const cases[] = {
      {"Connection: Upgrade\r\nUpgrade: WebSocket\r\n", true, true},
      {"Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\n", true, true},
      {"Connection: upgrade\r\nUpgrade: foo\r\n", true, false},
      {"Connection: upgrade\r\nUpgrade: websocket, foo\r\n", true, false},
      {"Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: foo\r\n", true, false},
      {"Connection: upgrade\r\nUpgrade:\r\n", true, false},
      {"Connection: upgrade\r\nUpgrade: h2c\r\n", false, false},
      {"Connection: upgrade\r\n", false, false},
      {"Upgrade: websocket\r\n", false, false},
  };
  for (const auto& c : cases) {
    RequestHead head;
    ASSERT_EQ(parse(with_lines(c.lines), head).status, ParseStatus::complete) << c.lines;
    EXPECT_EQ(head.has_upgrade, c.has_upgrade) << c.lines;
    EXPECT_EQ(head.is_websocket_upgrade, c.is_websocket) << c.lines;
  }
}

TEST(RequestHead, KnowsExpectContinueAndHead) {
  RequestHead head;
  ASSERT_EQ(parse("HEAD / HTTP/1.1\r\nExpect: 100-Continue\r\n\r\n", head).status, ParseStatus::complete);
  EXPECT_TRUE(head.is_head_method);
  EXPECT_TRUE(head.expects_continue);
  ASSERT_EQ(parse("GET / HTTP/1.1\r\nExpect: other\r\n\r\n", head).status, ParseStatus::complete);
  EXPECT_FALSE(head.is_head_method);
  EXPECT_FALSE(head.expects_continue);
}

TEST(RequestHead, LimitsBytesAndLines) {
  const std::string start = "GET / HTTP/1.1\r\nX: ";
  const auto with_size = [&](std::size_t size) {
    return start + std::string(size - start.size() - 4, 'a') + "\r\n\r\n";
  };
  EXPECT_EQ(verdict_on(with_size(60 * 1024)), kAccepted);
  EXPECT_EQ(verdict_on(with_size(60 * 1024 + 1)), refused(HeadError::too_large));
  EXPECT_EQ(verdict_on(with_size(60 * 1024).substr(0, 60 * 1024 - 1)), kMore);
  EXPECT_EQ(verdict_on("GET /" + std::string(60 * 1024, 'a')), refused(HeadError::too_large));

  std::string lines;
  for (int i = 0; i < 100; ++i) lines += "a: b\r\n";
  EXPECT_EQ(verdict_on("GET / HTTP/1.1\r\n" + lines + "\r\n"), kAccepted);
  EXPECT_EQ(verdict_on("GET / HTTP/1.1\r\n" + lines + "a: b\r\n\r\n"), refused(HeadError::too_many));
  EXPECT_EQ(verdict_on("GET / HTTP/1.1\r\na: b\r\nc: d\r\n\r\n", {.max_headers = 1}), refused(HeadError::too_many));
}

TEST(RequestHead, GivesTheSameVerdictHoweverTheBytesWereCut) {
  const std::string samples[] = {
      "GET /version HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nX-Long-Header-Name-Beyond-Sixteen: some value\r\n\r\n",
      with_lines("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
      with_lines("X: 1\r\n folded\r\n"),
      with_lines("X: 1\nY: 2\r\n"),
      "GET  / HTTP/1.1\r\n\r\n",
      "GET http://host:80/x HTTP/1.1\r\n\r\n",
      "GET foo HTTP/1.1\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  };
  for (const std::string& sample : samples) {
    const Verdict whole = verdict_on(sample);
    bool is_decided = false;
    for (std::size_t size = 0; size <= sample.size(); ++size) {
      const Verdict verdict = verdict_on(std::string_view(sample).substr(0, size));
      if (verdict.status == ParseStatus::incomplete) {
        EXPECT_FALSE(is_decided) << sample << " at " << size;
      } else {
        EXPECT_EQ(verdict, whole) << sample << " at " << size;
        is_decided = true;
      }
    }
    EXPECT_TRUE(is_decided);
  }
}

TEST(RequestHead, SkipsEmptyLinesBeforeTheRequest) {
  EXPECT_EQ(leading_blank_bytes("\r\n\r\nGET"), 4U);
  EXPECT_EQ(leading_blank_bytes("\r\n\r"), 2U);
  EXPECT_EQ(leading_blank_bytes("\n\r\n"), 0U);
  EXPECT_EQ(leading_blank_bytes(""), 0U);
}

TEST(PartialHead, MissesNothingThatTheParserWouldSay) {
  const std::string samples[] = {
      "GET /version HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
      "GET /" + std::string(300, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /" + std::string(300, 'a') + "\x01",
      "hello world\r\n",
  };
  for (const std::string& sample : samples) {
    for (const std::size_t step : {1U, 2U, 3U, 7U, 1000U}) {
      PartialHead partial;
      Verdict verdict = kMore;
      for (std::size_t size = 0; verdict == kMore && size < sample.size();) {
        size = std::min(size + step, sample.size());
        const std::string_view bytes = std::string_view(sample).substr(0, size);
        if (partial.has_news(bytes, {})) verdict = verdict_on(bytes);
      }
      EXPECT_EQ(verdict, verdict_on(sample)) << sample << " by " << step;
    }
  }
}

TEST(PartialHead, AsksForFewParsesOfAHeadThatComesByteByByte) {
  const HeadLimits limits;
  std::string slow = "GET / HTTP/1.1\r\n";
  while (slow.size() < limits.max_bytes) slow += "a b c d: e f g\r\n";
  const std::string endless_line = "GET /" + std::string(limits.max_bytes - 5, 'a');
  for (const std::string& head : {slow, endless_line}) {
    PartialHead partial;
    int parses = 0;
    for (std::size_t size = 1; size <= limits.max_bytes; ++size) {
      parses += partial.has_news(std::string_view(head).substr(0, size), limits) ? 1 : 0;
    }
    EXPECT_LE(parses, 130);
  }
}

}  // namespace
}  // namespace proxy::http1
