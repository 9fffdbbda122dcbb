#include "proxy/http1/write.h"

#include <gtest/gtest.h>

#include <string>

namespace proxy::http1 {
namespace {

constexpr std::string_view kOperation = "greeter-service.default.svc.cluster.local:3000/*";
constexpr std::string_view kDate = "Mon, 23 Nov 2026 18:16:48 GMT";

std::string forwarded(std::string_view bytes, const RequestEdits& edits) {
  RequestHead head;
  EXPECT_EQ(parse_request_head(bytes, {}, head).status, ParseStatus::complete) << bytes;
  std::string out = "before ";
  append_request_head(out, bytes, head, edits);
  EXPECT_TRUE(out.starts_with("before "));
  return out.substr(7);
}
RequestEdits edits_of(std::string_view method, std::string_view path = "/") {
  return {.method = method,
          .path = path,
          .host = "greeter-service",
          .request_id = "uuid",
          .decorator_operation = kOperation};
}

// Header lines between Host and what the proxy adds.
std::string kept_lines(std::string_view lines, const RequestEdits& edits) {
  const std::string out = forwarded("GET / HTTP/1.1\r\nHost: greeter-service\r\n" + std::string(lines) + "\r\n", edits);
  const std::string start = "GET / HTTP/1.1\r\nhost: greeter-service\r\n";
  EXPECT_TRUE(out.starts_with(start)) << out;
  return out.substr(start.size(), out.find("x-forwarded-proto: http\r\n") - start.size());
}
std::string kept_lines(std::string_view lines) { return kept_lines(lines, edits_of("GET")); }

TEST(RequestHeadWriter, WritesWhatEnvoyWrites) {
  EXPECT_EQ(forwarded("GET / HTTP/1.1\r\nHost: greeter-service\r\n\r\n", edits_of("GET")),
            "GET / HTTP/1.1\r\nhost: greeter-service\r\nx-forwarded-proto: http\r\nx-request-id: uuid\r\n"
            "x-envoy-decorator-operation: greeter-service.default.svc.cluster.local:3000/*\r\n"
            "x-envoy-attempt-count: 1\r\n\r\n");

  RequestEdits retry = edits_of("GET", "/timeout");
  retry.attempt = 3;
  retry.expected_timeout_ms = 3000;
  EXPECT_EQ(forwarded("GET /timeout HTTP/1.1\r\nHost: greeter-service\r\n\r\n", retry),
            "GET /timeout HTTP/1.1\r\nhost: greeter-service\r\nx-forwarded-proto: http\r\nx-request-id: uuid\r\n"
            "x-envoy-decorator-operation: greeter-service.default.svc.cluster.local:3000/*\r\n"
            "x-envoy-expected-rq-timeout-ms: 3000\r\nx-envoy-attempt-count: 3\r\n\r\n");
}

TEST(RequestHeadWriter, LowersNamesAndKeepsValues) {
  EXPECT_EQ(kept_lines("X-Mixed-Case-Name-Of-More-Than-Sixteen_Bytes:Value Kept\r\nA:\r\nB:  x \t\r\n"),
            "x-mixed-case-name-of-more-than-sixteen_bytes: Value Kept\r\na: \r\nb: x\r\n");
  const std::string long_value(5000, 'V');
  EXPECT_EQ(kept_lines("X: " + long_value + "\r\n"), "x: " + long_value + "\r\n");
}

TEST(RequestHeadWriter, RemovesWhatIsForThisHopOrForNobody) {
  EXPECT_EQ(
      kept_lines("Connection: close, foo\r\nfoo: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\n"
                 "Upgrade: websocket\r\nx-envoy-retry-on: 5xx\r\nX-Envoy-Max-Retries: 9\r\n"
                 "x-envoy-upstream-rq-timeout-ms: 1\r\nx-envoy-expected-rq-timeout-ms: 1\r\n"
                 "x-forwarded-client-cert: a\r\nx-envoy-attempt-count: 7\r\nx-envoy-decorator-operation: mine\r\n"),
      "");
  EXPECT_EQ(kept_lines("Connection: upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: a\r\n"), "");
}

TEST(RequestHeadWriter, KeepsWhatEnvoyKeeps) {
  for (const std::string_view line :
       {"trailer: x", "proxy-authorization: x", "expect: 100-continue", "http2-settings: a", "x-envoy-original-path: a",
        "x-envoy-overloaded: true", "x-envoy-peer-metadata: a", "x-envoy-unknown: a", "x-forwarded-for: 1.2.3.4",
        "via: 1.1 a", "forwarded: for=1", "date: x", "content-encoding: x", "server: x"}) {
    EXPECT_EQ(kept_lines(std::string(line) + "\r\n"), std::string(line) + "\r\n");
  }
}

TEST(RequestHeadWriter, PassesOnlyTrailersOfTe) {
  struct {
    std::string_view lines, out;
  } const cases[] = {
      {"TE: trailers\r\nConnection: TE\r\n", "te: trailers\r\n"},
      {"te: trailers, deflate\r\n", "te: trailers\r\n"},
      {"te: deflate\r\nte: trailers\r\n", "te: trailers\r\n"},
      {"te: deflate\r\n", ""},
      {"te: Trailers\r\n", ""},
      {"te: trailers;q=0.5\r\n", ""},
  };
  for (const auto& c : cases) EXPECT_EQ(kept_lines(c.lines), c.out) << c.lines;
}

TEST(RequestHeadWriter, JoinsWellKnownDuplicatesAtTheFirst) {
  EXPECT_EQ(
      kept_lines("Accept: a\r\nX-A: 1\r\naccept: b\r\naccept: \r\nACCEPT: c\r\nX-A: 2\r\nCookie: d\r\ncookie: e\r\n"),
      "accept: a,b,c\r\nx-a: 1\r\nx-a: 2\r\ncookie: d\r\ncookie: e\r\n");
  EXPECT_EQ(kept_lines("Accept: \r\naccept: b\r\n"), "accept: b\r\n");
  EXPECT_EQ(kept_lines("Via: a\r\nUser-Agent: b\r\nvia: c\r\n"), "via: a,c\r\nuser-agent: b\r\n");
  // Joined in responses only.
  EXPECT_EQ(kept_lines("etag: a\r\netag: b\r\n"), "etag: a\r\netag: b\r\n");
}

TEST(RequestHeadWriter, KeepsTheClientsRequestIdAndProtocol) {
  RequestEdits edits = edits_of("GET");
  edits.request_id = {};
  EXPECT_EQ(
      forwarded("GET / HTTP/1.1\r\nX-Request-Id: a\r\nx-request-id: b\r\nX-Forwarded-Proto: https\r\n\r\n", edits),
      "GET / HTTP/1.1\r\nhost: greeter-service\r\nx-request-id: a,b\r\nx-forwarded-proto: https\r\n"
      "x-envoy-decorator-operation: greeter-service.default.svc.cluster.local:3000/*\r\n"
      "x-envoy-attempt-count: 1\r\n\r\n");
  // An empty one is replaced.
  EXPECT_EQ(kept_lines("X-Request-Id:\r\n"), "");
}

TEST(RequestHeadWriter, LeavesTheOperationOfAnUnknownHostAlone) {
  RequestEdits edits = edits_of("GET");
  edits.decorator_operation = {};
  EXPECT_EQ(kept_lines("x-envoy-decorator-operation: mine\r\n", edits), "x-envoy-decorator-operation: mine\r\n");
}

TEST(RequestHeadWriter, SaysHowLongTheBodyIs) {
  const auto framing = [](std::string_view method, std::string_view lines) {
    const std::string out =
        forwarded(std::string(method) + " / HTTP/1.1\r\n" + std::string(lines) + "\r\n", edits_of(method));
    std::string found;
    for (const std::string_view name : {"content-length: ", "transfer-encoding: "}) {
      for (std::size_t at = out.find(name); at != std::string::npos; at = out.find(name, at + 1)) {
        found += out.substr(at, out.find("\r\n", at) - at) + ";";
      }
    }
    return found;
  };
  for (const std::string_view method : {"POST", "PUT", "PATCH", "OPTIONS", "PROPFIND", "FOO"}) {
    EXPECT_EQ(framing(method, ""), "content-length: 0;") << method;
  }
  for (const std::string_view method : {"GET", "HEAD", "DELETE", "TRACE"}) EXPECT_EQ(framing(method, ""), "") << method;
  EXPECT_EQ(framing("POST", "Content-Length: 05\r\n"), "content-length: 05;");
  EXPECT_EQ(framing("GET", "Transfer-Encoding: Chunked\r\n"), "transfer-encoding: chunked;");
}

TEST(RequestHeadWriter, PassesAWebsocketUpgrade) {
  RequestEdits edits = edits_of("GET");
  edits.keeps_upgrade = true;
  EXPECT_EQ(kept_lines("Connection: keep-alive, Upgrade\r\nKeep-Alive: 5\r\nUpgrade: WebSocket\r\n", edits),
            "connection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\n");
}

TEST(RequestHeadWriter, ItsOutputParsesToTheSameFraming) {
  for (const std::string_view lines : {"", "Content-Length: 7\r\n", "Transfer-Encoding: chunked\r\n"}) {
    const std::string in = "POST / HTTP/1.1\r\nHost: h\r\nAccept: a\r\nACCEPT: b\r\n" + std::string(lines) + "\r\n";
    RequestHead before;
    RequestHead after;
    ASSERT_EQ(parse_request_head(in, {}, before).status, ParseStatus::complete);
    const std::string out = forwarded(in, edits_of("POST"));
    ASSERT_EQ(parse_request_head(out, {}, after).status, ParseStatus::complete);
    EXPECT_EQ(after.size, out.size());
    EXPECT_EQ(after.content_length, before.content_length);
    EXPECT_EQ(after.body == BodyKind::chunked, before.body == BodyKind::chunked);
  }
}

std::string relayed(std::string_view bytes, const ResponseEdits& edits, bool is_head_request = false) {
  ResponseHead head;
  EXPECT_EQ(parse_response_head(bytes, {}, is_head_request, head).status, ParseStatus::complete) << bytes;
  std::string out;
  append_response_head(out, bytes, head, edits);
  return out;
}

TEST(ResponseHeadWriter, WritesWhatEnvoyWrites) {
  EXPECT_EQ(relayed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", {.date = kDate, .upstream_service_time_ms = 20}),
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-envoy-upstream-service-time: 20\r\n"
            "date: Mon, 23 Nov 2026 18:16:48 GMT\r\nserver: envoy\r\n\r\n");
  EXPECT_EQ(relayed("HTTP/1.0 299 Fine By Me\r\nX-A: 1\r\n\r\n", {.date = kDate, .is_chunked = true}),
            "HTTP/1.1 299 Unknown\r\nx-a: 1\r\nx-envoy-upstream-service-time: 0\r\n"
            "date: Mon, 23 Nov 2026 18:16:48 GMT\r\nserver: envoy\r\ntransfer-encoding: chunked\r\n\r\n");
}

TEST(ResponseHeadWriter, OverwritesRemovesAndKeeps) {
  EXPECT_EQ(relayed("HTTP/1.1 503 X\r\nServer: mine\r\nDate: theirs\r\nConnection: close, x-foo\r\nX-Foo: 1\r\n"
                    "Keep-Alive: 5\r\nProxy-Connection: a\r\nUpgrade: a\r\nX-Envoy-Upstream-Service-Time: 9\r\n"
                    "X-Envoy-Decorator-Operation: a\r\nSet-Cookie: a\r\nset-cookie: b\r\nVary: a\r\nvary: b\r\n"
                    "TE: a\r\nX-Envoy-Internal: true\r\nContent-Length: 0\r\n\r\n",
                    {.server = "other", .date = kDate, .upstream_service_time_ms = -1, .closes = true}),
            "HTTP/1.1 503 Service Unavailable\r\ndate: theirs\r\nx-foo: 1\r\nset-cookie: a\r\nset-cookie: b\r\n"
            "vary: a,b\r\nte: a\r\nx-envoy-internal: true\r\ncontent-length: 0\r\nserver: other\r\n"
            "connection: close\r\n\r\n");
}

TEST(ResponseHeadWriter, SpeaksToAnHttp10Caller) {
  const std::string response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
  EXPECT_EQ(relayed(response, {.date = kDate, .upstream_service_time_ms = -1, .to_http10 = true}),
            "HTTP/1.0 200 OK\r\ncontent-length: 2\r\ndate: Mon, 23 Nov 2026 18:16:48 GMT\r\nserver: envoy\r\n"
            "connection: keep-alive\r\n\r\n");
  EXPECT_EQ(relayed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                    {.date = kDate, .upstream_service_time_ms = -1, .closes = true, .to_http10 = true}),
            "HTTP/1.0 200 OK\r\ndate: Mon, 23 Nov 2026 18:16:48 GMT\r\nserver: envoy\r\nconnection: close\r\n\r\n");
}

TEST(ResponseHeadWriter, PassesA101WithItsConnection) {
  EXPECT_EQ(
      relayed("HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: x\r\n\r\n",
              {.date = kDate, .upstream_service_time_ms = -1, .keeps_upgrade = true}),
      "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: WebSocket\r\nsec-websocket-accept: x\r\n"
      "date: Mon, 23 Nov 2026 18:16:48 GMT\r\nserver: envoy\r\n\r\n");
}

TEST(ResponseHeadWriter, NeverGivesA204ALength) {
  EXPECT_EQ(relayed("HTTP/1.1 204 X\r\ncontent-length: 0\r\n\r\n", {.date = kDate, .upstream_service_time_ms = -1}),
            "HTTP/1.1 204 No Content\r\ndate: Mon, 23 Nov 2026 18:16:48 GMT\r\nserver: envoy\r\n\r\n");
}

TEST(InformationalHeadWriter, RelaysItWithoutAdditions) {
  const std::string bytes =
      "HTTP/1.1 103 Early Hints\r\nLink: a\r\nConnection: x\r\nServer: s\r\nX-A: B\r\nContent-Length: 0\r\n\r\n";
  ResponseHead head;
  ASSERT_EQ(parse_response_head(bytes, {}, false, head).status, ParseStatus::complete);
  std::string out;
  append_informational_head(out, bytes, head);
  EXPECT_EQ(out, "HTTP/1.1 103 Unknown\r\nlink: a\r\nserver: s\r\nx-a: B\r\n\r\n");
}

std::string local(const LocalReply& reply) {
  std::string out;
  append_local_reply(out, reply, "envoy", "D");
  return out;
}

TEST(LocalReplyWriter, WritesWhatEnvoyWrites) {
  EXPECT_EQ(local({.status = 504, .body = "upstream request timeout"}),
            "HTTP/1.1 504 Gateway Timeout\r\ncontent-length: 24\r\ncontent-type: text/plain\r\ndate: D\r\n"
            "server: envoy\r\n\r\nupstream request timeout");
  EXPECT_EQ(local({.status = 503, .body = "x", .is_overloaded = true, .closes = true}),
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 1\r\ncontent-type: text/plain\r\n"
            "x-envoy-overloaded: true\r\ndate: D\r\nserver: envoy\r\nconnection: close\r\n\r\nx");
  EXPECT_EQ(local({.status = 404}), "HTTP/1.1 404 Not Found\r\ndate: D\r\nserver: envoy\r\ncontent-length: 0\r\n\r\n");
}

TEST(LocalReplyWriter, AnswersHeadWithoutABody) {
  EXPECT_EQ(
      local({.status = 418, .body = "teapot\n", .is_head_request = true}),
      "HTTP/1.1 418 Unknown\r\ncontent-length: 7\r\ncontent-type: text/plain\r\ndate: D\r\nserver: envoy\r\n\r\n");
  EXPECT_EQ(local({.status = 404, .is_head_request = true}),
            "HTTP/1.1 404 Not Found\r\ndate: D\r\nserver: envoy\r\ntransfer-encoding: chunked\r\n\r\n");
}

TEST(LocalReplyWriter, AnswersGrpcInItsOwnTerms) {
  EXPECT_EQ(local({.status = 503, .body = "100% \xc3\xa4\n", .is_overloaded = true, .is_grpc = true}),
            "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: 14\r\ngrpc-message: 100%25 %C3%A4%0A\r\n"
            "x-envoy-overloaded: true\r\ndate: D\r\nserver: envoy\r\ncontent-length: 0\r\n\r\n");
  EXPECT_EQ(local({.status = 404, .is_grpc = true}),
            "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: 12\r\ndate: D\r\nserver: envoy\r\n"
            "content-length: 0\r\n\r\n");
}

TEST(LocalReplyWriter, SpeaksToAnHttp10Caller) {
  EXPECT_EQ(local({.status = 404, .is_head_request = true, .to_http10 = true}),
            "HTTP/1.0 404 Not Found\r\ndate: D\r\nserver: envoy\r\nconnection: keep-alive\r\n\r\n");
}

TEST(GrpcStatus, FollowsTheHttpStatus) {
  constexpr std::pair<int, int> kCases[] = {{400, 13}, {401, 16}, {403, 7},  {404, 12}, {429, 14},
                                            {502, 14}, {503, 14}, {504, 14}, {500, 2},  {200, 2}};
  for (const auto& [http, grpc] : kCases) EXPECT_EQ(grpc_status_for(static_cast<std::uint16_t>(http)), grpc) << http;
}

TEST(JoinedValue, JoinsEveryLineOfAHeaderWellKnownOnesByAComma) {
  const std::string bytes =
      "GET / HTTP/1.1\r\nX-A: 1\r\nx-b: 2\r\nx-a: 3\r\nX-A:\r\nx-envoy-retry-on: 5xx\r\n"
      "accept: a\r\nAccept: b\r\ncookie: c=1\r\ncookie: d=2\r\n\r\n";
  RequestHead head;
  ASSERT_EQ(parse_request_head(bytes, {}, head).status, ParseStatus::complete);
  std::string storage;
  std::string_view value;
  ASSERT_TRUE(joined_value(bytes, head, "x-a", storage, value));
  EXPECT_EQ(value, "1\n3\n");
  ASSERT_TRUE(joined_value(bytes, head, "accept", storage, value));
  EXPECT_EQ(value, "a,b");
  ASSERT_TRUE(joined_value(bytes, head, "cookie", storage, value));
  EXPECT_EQ(value, "c=1\nd=2");
  ASSERT_TRUE(joined_value(bytes, head, "x-b", storage, value));
  EXPECT_EQ(value, "2");
  EXPECT_FALSE(joined_value(bytes, head, "x-c", storage, value));
  EXPECT_FALSE(joined_value(bytes, head, "x-envoy-retry-on", storage, value));  // no client may set it
}

}  // namespace
}  // namespace proxy::http1
