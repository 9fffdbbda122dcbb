#include "proxy/telemetry/access_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>
#include <climits>

#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/utf8.h"

namespace proxy::telemetry {
namespace {

using config::AccessLogFormat;

base::SocketAddress address(std::string_view text) { return *base::SocketAddress::parse(text); }

struct AccessLogLine : testing::Test {
  AccessLogLine() {
    record.start_time = base::WallTime(std::chrono::milliseconds(1'795'441'279'998));  // 2026-11-23T13:41:19.998Z
    record.method = "GET";
    record.path = "/hello";
    record.protocol = "HTTP/1.1";
    record.response_code = 503;
    record.flags = kUpstreamOverflow;
    record.details = "upstream_reset_before_response_started{overflow}";
    record.response_body_bytes = 81;
    record.user_agent = "curl/7.88.1";
    record.request_id = "3bd46aba-0af4-96a5-af2d-b459f14fcb2b";
    record.authority = "greeter-service:3000";
    backend.name = "outbound|3000||greeter-service.default.svc.cluster.local";
    record.backend = &backend;
    record.downstream_local = address("10.96.3.7:3000");
    record.downstream_remote = address("10.244.1.7:35334");
    route.name = "default";
    record.route = &route;
  }
  std::string text() {
    LineBuffer line;
    append_text_line(line, record);
    return std::string(line.bytes());
  }
  std::string json() {
    LineBuffer line;
    append_json_line(line, record);
    return std::string(line.bytes());
  }
  RequestRecord record;
  config::Backend backend;
  config::Route route;
};

TEST_F(AccessLogLine, IsIstiosDefaultText) {
  EXPECT_EQ(text(),
            "[2026-11-23T13:41:19.998Z] \"GET /hello HTTP/1.1\" 503 UO "
            "upstream_reset_before_response_started{overflow} - \"-\" 0 81 0 - \"-\" \"curl/7.88.1\" "
            "\"3bd46aba-0af4-96a5-af2d-b459f14fcb2b\" \"greeter-service:3000\" \"-\" "
            "outbound|3000||greeter-service.default.svc.cluster.local - 10.96.3.7:3000 10.244.1.7:35334 - default\n");
}

TEST_F(AccessLogLine, OfAFailedConnectNamesEndpointAndReasonWithoutBlanks) {
  config::Endpoint endpoint;
  endpoint.address = address("10.244.2.3:3000");
  record.endpoint = &endpoint;
  record.flags = kUpstreamConnectionFailure;
  record.details =
      "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error: Connection refused}";
  record.upstream_failure = "delayed_connect_error: Connection refused";
  record.duration = std::chrono::microseconds(1999);
  record.upstream_service_time_ms = 7;
  const std::string line = text();
  EXPECT_NE(line.find(" 503 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_"
                      "Connection_refused} - \"delayed_connect_error:_Connection_refused\" 0 81 1 7 "),
            std::string::npos)
      << line;
  EXPECT_NE(line.find("\"10.244.2.3:3000\" outbound|3000||"), std::string::npos) << line;
}

TEST_F(AccessLogLine, IsIstiosJsonWithOurKeysAtTheEnd) {
  config::WorkloadIdentity source;
  source.workload = "helloweb";
  source.workload_namespace = "default";
  config::Service service;
  service.host = "greeter-service.default.svc.cluster.local";
  record.source = &source;
  record.service = &service;
  record.upstream_service_time_ms = 12;
  record.attempts = 3;
  route.origin = "policies/greeter.yaml:12 VirtualService default/greeter-service http[0]";
  EXPECT_EQ(
      json(),
      R"({"start_time":"2026-11-23T13:41:19.998Z","route_name":"default","method":"GET","path":"/hello",)"
      R"("protocol":"HTTP/1.1","response_code":503,"response_flags":"UO",)"
      R"("response_code_details":"upstream_reset_before_response_started{overflow}",)"
      R"("connection_termination_details":null,"bytes_received":0,"bytes_sent":81,"duration":0,)"
      R"("upstream_service_time":"12","x_forwarded_for":null,"user_agent":"curl/7.88.1",)"
      R"("request_id":"3bd46aba-0af4-96a5-af2d-b459f14fcb2b","authority":"greeter-service:3000","upstream_host":null,)"
      R"("upstream_cluster":"outbound|3000||greeter-service.default.svc.cluster.local",)"
      R"("upstream_local_address":null,"downstream_local_address":"10.96.3.7:3000",)"
      R"("downstream_remote_address":"10.244.1.7:35334","requested_server_name":null,)"
      R"("upstream_transport_failure_reason":null,"source_workload":"helloweb","source_namespace":"default",)"
      R"("destination_workload":null,"destination_service":"greeter-service.default.svc.cluster.local","attempts":3,)"
      R"("trace_id":null,"decision":"policies/greeter.yaml:12 VirtualService default/greeter-service http[0]"})"
      "\n");
}

TEST_F(AccessLogLine, OfAnUnknownHostNamesThePassthroughCluster) {
  record.route = nullptr;
  record.backend = nullptr;
  record.is_passthrough = true;
  record.downstream_local = address("[2001:db8::1]:80");
  const std::string line = text();
  EXPECT_NE(line.find("\"[2001:db8::1]:80\" PassthroughCluster - [2001:db8::1]:80 "), std::string::npos) << line;
  EXPECT_TRUE(line.ends_with(" - allow_any\n")) << line;
}

TEST_F(AccessLogLine, CannotForgeAnother) {
  const struct {
    std::string_view value, in_text, in_json;
  } cases[] = {
      {"a\"b", R"(a\"b)", R"(a\"b)"},
      {"a\\\"b", R"(a\\\"b)", R"(a\\\"b)"},
      {"a\nb\r\n[2026", R"(a\x0ab\x0d\x0a[2026)", R"(a\u000ab\u000d\u000a[2026)"},
      {std::string_view("a\0b\x7f", 4), R"(a\x00b\x7f)", R"(a\u0000b\u007f)"},
      {"na\xc3\xafve", "na\xc3\xafve", "na\xc3\xafve"},
      {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
      {"\xff\xc3", R"(\xff\xc3)", R"(\u00ff\u00c3)"},
      {"\xc0\xaf", R"(\xc0\xaf)", R"(\u00c0\u00af)"},                // overlong '/'
      {"\xed\xa0\x80", R"(\xed\xa0\x80)", R"(\u00ed\u00a0\u0080)"},  // surrogate
      {"\xc2\x9b", R"(\xc2\x9b)", R"(\u00c2\u009b)"},                // C1 control
  };
  for (const auto& c : cases) {
    record.user_agent = c.value;
    const std::string line = text();
    EXPECT_NE(line.find('"' + std::string(c.in_text) + '"'), std::string::npos) << line;
    EXPECT_EQ(std::ranges::count(line, '\n'), 1);
    const std::string object = json();
    EXPECT_NE(object.find("\"user_agent\":\"" + std::string(c.in_json) + '"'), std::string::npos) << object;
    EXPECT_EQ(std::ranges::count(object, '\n'), 1);
  }
}

// The rule itself, one character after the other.
std::string escaped(std::string_view value, std::string_view hex_escape, bool keeps_blanks) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string result;
  while (!value.empty()) {
    const auto byte = static_cast<unsigned char>(value[0]);
    std::size_t size = 1;
    if (value[0] == '"' || value[0] == '\\') {
      result += {'\\', value[0]};
    } else if (value[0] == ' ') {
      result += keeps_blanks ? ' ' : '_';
    } else if (byte > 0x20 && byte < 0x7f) {
      result += value[0];
    } else if (byte >= 0x80 && base::utf8_character(value) != 0 && !(byte == 0xc2 && value[1] < '\xa0')) {
      size = base::utf8_character(value);
      result += value.substr(0, size);
    } else {
      result += hex_escape;
      result += {kHex[byte >> 4U], kHex[byte & 15U]};
    }
    value.remove_prefix(size);
  }
  return result;
}

// Most characters are plain, so that each odd one also comes alone and at every place.
std::string odd_value(base::Random& random, std::size_t size) {
  constexpr std::string_view kOdd[] = {"\"",           "\\",       " ",
                                       "\t",           "\n",       "\x1f",
                                       "\x7f",         "\x80",     "\xff",
                                       "\xc3\xaf",     "\xc2\x9f", "\xc2\xa0",
                                       "\xe2\x82\xac", "\xe2\x82", "\xf0\x9f\x98\x80",
                                       "\xed\xa0\x80"};
  const std::uint64_t plain_for_an_odd_one = 1 + random.below(64);
  std::string value;
  while (value.size() < size) {
    if (random.below(plain_for_an_odd_one) == 0) {
      value += kOdd[random.below(std::size(kOdd))];
    } else {
      value += static_cast<char>('!' + random.below('~' - '!' + 1));
    }
  }
  value.resize(size);  // may cut a character
  return value;
}

TEST_F(AccessLogLine, EscapesCharacterByCharacterHoweverLongAValueIs) {
  base::Random random(1);
  for (int round = 0; round < 40; ++round) {
    for (std::size_t size = 0; size < 100; ++size) {
      const std::string kept = odd_value(random, size);
      const std::string bare = odd_value(random, size);
      record.user_agent = kept;
      record.details = bare;
      const auto or_null = [](std::string text) { return text.empty() ? "null" : '"' + std::move(text) + '"'; };
      const auto or_dash = [](std::string text) { return text.empty() ? "-" : std::move(text); };
      const std::string object = json();
      EXPECT_NE(object.find(R"(,"user_agent":)" + or_null(escaped(kept, "\\u00", true)) + R"(,"request_id":)"),
                std::string::npos)
          << object;
      EXPECT_NE(object.find(R"(,"response_code_details":)" + or_null(escaped(bare, "\\u00", false)) +
                            R"(,"connection_termination_details":)"),
                std::string::npos)
          << object;
      const std::string line = text();
      EXPECT_NE(line.find(R"( - "-" ")" + or_dash(escaped(kept, "\\x", true)) + R"(" "3bd)"), std::string::npos)
          << line;
      EXPECT_NE(line.find(" UO " + or_dash(escaped(bare, "\\x", false)) + R"( - "-" )"), std::string::npos) << line;
    }
  }
}

TEST_F(AccessLogLine, KeepsBlanksOutOfValuesWithoutQuotes) {
  route.name = "my route - \"x\"";
  EXPECT_TRUE(text().ends_with(R"( - my_route_-_\"x\")"
                               "\n"))
      << text();
}

struct AccessLogTest : AccessLogLine {
  [[nodiscard]] std::uint64_t lines(LogResult result) const {
    return shards->memory().worker(0).access_log_lines[static_cast<std::size_t>(result)].load();
  }
  static std::string read_all(int fd) {
    std::string all;
    char buffer[65536];
    for (ssize_t n = 0; (n = read(fd, buffer, sizeof buffer)) > 0;) all.append(buffer, static_cast<std::size_t>(n));
    return all;
  }
  struct Pipe {
    base::UniqueFd read_end, write_end;
  };
  static Pipe make_pipe() {
    int fds[2];
    EXPECT_EQ(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    return {base::UniqueFd(fds[0]), base::UniqueFd(fds[1])};
  }

  std::unique_ptr<ShardSet> shards = *ShardSet::create_private(1, 10);
  WorkerTelemetry counters{*shards, 0};
};

TEST_F(AccessLogTest, WritesAtAFlushOrWhenTheBufferIsFull) {
  base::UniqueFd file(memfd_create("log", MFD_CLOEXEC));
  AccessLog log(counters);
  log.set_sink(base::UniqueFd(dup(file.get())));
  log.write(record, AccessLogFormat::json);
  EXPECT_EQ(lseek(file.get(), 0, SEEK_END), 0);
  log.flush();
  const off_t one_line = lseek(file.get(), 0, SEEK_END);
  EXPECT_GT(one_line, 0);
  EXPECT_EQ(lines(LogResult::written), 1U);
  const auto until_full = static_cast<off_t>(AccessLog::kWriteBytes) / one_line + 1;
  for (off_t i = 0; i < until_full; ++i) log.write(record, AccessLogFormat::json);
  EXPECT_EQ(lseek(file.get(), 0, SEEK_END), one_line * (until_full + 1));
}

TEST_F(AccessLogTest, IsSilentWhenOffAndCountsWhatHasNoSink) {
  AccessLog log(counters);
  log.write(record, AccessLogFormat::off);
  EXPECT_EQ(lines(LogResult::dropped), 0U);
  log.write(record, AccessLogFormat::text);
  EXPECT_EQ(lines(LogResult::dropped), 1U);
}

TEST_F(AccessLogTest, FlushesWhenItEnds) {
  base::UniqueFd file(memfd_create("log", MFD_CLOEXEC));
  {
    AccessLog log(counters);
    log.set_sink(base::UniqueFd(dup(file.get())));
    log.write(record, AccessLogFormat::text);
  }
  EXPECT_GT(lseek(file.get(), 0, SEEK_END), 0);
}

TEST_F(AccessLogTest, DropsAndCountsWhenNobodyReadsAndLosesNothingElse) {
  Pipe pipe = make_pipe();
  AccessLog log(counters);
  log.set_sink(std::move(pipe.write_end));
  const std::size_t line_size = text().size();
  const std::size_t count = 4 * AccessLog::kMaxPendingBytes / line_size;
  for (std::size_t i = 0; i < count; ++i) log.write(record, AccessLogFormat::text);
  const std::uint64_t dropped = lines(LogResult::dropped);
  EXPECT_GT(dropped, 0U);
  std::string all = read_all(pipe.read_end.get());
  log.flush();
  all += read_all(pipe.read_end.get());
  log.flush();
  all += read_all(pipe.read_end.get());
  EXPECT_EQ(lines(LogResult::dropped), dropped);
  EXPECT_EQ(lines(LogResult::written) + dropped, count);
  EXPECT_EQ(all.size(), lines(LogResult::written) * line_size);
  for (std::size_t i = 0; i < all.size(); i += line_size) ASSERT_EQ(all.substr(i, line_size), text());
}

TEST_F(AccessLogTest, NeverSplitsALineOfAPipeThatOtherWorkersShare) {
  Pipe pipe = make_pipe();
  AccessLog log(counters);
  log.set_sink(std::move(pipe.write_end));
  for (int i = 0; i < 50; ++i) log.write(record, AccessLogFormat::text);
  log.flush();
  // Only whole lines fit when the pipe is nearly full: each write was at most PIPE_BUF and ended a line.
  const std::string all = read_all(pipe.read_end.get());
  EXPECT_EQ(all.back(), '\n');
  EXPECT_EQ(std::ranges::count(all, '\n'), 50);
}

TEST_F(AccessLogTest, CountsLinesThatTheSinkRefuses) {
  AccessLog log(counters);
  log.set_sink(base::UniqueFd(open("/dev/full", O_WRONLY | O_CLOEXEC)));
  log.write(record, AccessLogFormat::text);
  log.write(record, AccessLogFormat::text);
  log.flush();
  EXPECT_EQ(lines(LogResult::failed), 2U);
  EXPECT_EQ(lines(LogResult::written), 0U);
}

TEST_F(AccessLogTest, WritesPendingLinesToTheOldSinkBeforeItTakesTheNew) {
  base::UniqueFd old_file(memfd_create("old", MFD_CLOEXEC));
  base::UniqueFd new_file(memfd_create("new", MFD_CLOEXEC));
  AccessLog log(counters);
  log.set_sink(base::UniqueFd(dup(old_file.get())));
  log.write(record, AccessLogFormat::text);
  log.set_sink(base::UniqueFd(dup(new_file.get())));
  log.write(record, AccessLogFormat::text);
  log.flush();
  EXPECT_EQ(lseek(old_file.get(), 0, SEEK_END), lseek(new_file.get(), 0, SEEK_END));
}

TEST_F(AccessLogTest, TakesALineLargerThanItsBuffer) {
  base::UniqueFd file(memfd_create("log", MFD_CLOEXEC));
  const std::string path(200'000, '\x01');
  record.path = path;
  AccessLog log(counters);
  log.set_sink(base::UniqueFd(dup(file.get())));
  log.write(record, AccessLogFormat::text);
  EXPECT_EQ(lines(LogResult::written), 1U);
  EXPECT_GT(lseek(file.get(), 0, SEEK_END), 800'000);
}

}  // namespace
}  // namespace proxy::telemetry
