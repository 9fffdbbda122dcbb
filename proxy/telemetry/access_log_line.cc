#include <chrono>

#include "proxy/telemetry/access_log.h"
#include "proxy/telemetry/line_writer.h"
#include "telemetry/response_flags.h"

// Istio's default text and JSON lines (OBSERVABILITY 7).
namespace proxy::telemetry {
namespace {

// 2026-11-23T13:41:19.998Z. The calendar is worked out once a second.
void put_time(LineWriter& out, base::WallTime time) {
  using namespace std::chrono;
  constexpr std::size_t kSize = 20;  // up to the point
  thread_local sys_seconds cached_second = sys_seconds::min();
  thread_local char cached_text[kSize] = {};
  const auto second = floor<seconds>(time);
  if (second != cached_second) {
    const auto day = floor<days>(second);
    const year_month_day date(day);
    const hh_mm_ss clock(second - day);
    char* at = cached_text;
    at = write_digits(at, static_cast<unsigned>(static_cast<int>(date.year())), 4);
    *at++ = '-';
    at = write_digits(at, static_cast<unsigned>(date.month()), 2);
    *at++ = '-';
    at = write_digits(at, static_cast<unsigned>(date.day()), 2);
    *at++ = 'T';
    at = write_digits(at, static_cast<unsigned>(clock.hours().count()), 2);
    *at++ = ':';
    at = write_digits(at, static_cast<unsigned>(clock.minutes().count()), 2);
    *at++ = ':';
    at = write_digits(at, static_cast<unsigned>(clock.seconds().count()), 2);
    *at = '.';
    cached_second = second;
  }
  out.put({cached_text, kSize});
  char milliseconds_text[3];
  write_digits(milliseconds_text, static_cast<unsigned>(duration_cast<milliseconds>(time - second).count()), 3);
  out.put({milliseconds_text, sizeof milliseconds_text});
  out.put('Z');
}

bool is_set(const base::SocketAddress& address) { return address != base::SocketAddress{}; }

// Text: a value stands bare between blanks or in quotes; a missing one is `-`.
class TextLine {
 public:
  explicit TextLine(LineWriter& out) : out_(out) {}
  void bare(std::string_view value) { value.empty() ? out_.put('-') : out_.put_escaped_word(value); }
  void quoted(std::string_view value) {
    out_.put('"');
    inner(value);
    out_.put('"');
  }
  void inner(std::string_view value) { value.empty() ? out_.put('-') : out_.put_escaped(value); }
  void number_if_known(std::int64_t number) { number < 0 ? out_.put('-') : out_.put_number(number); }
  void address(const base::SocketAddress& address) { is_set(address) ? out_.put_address(address) : out_.put('-'); }

 private:
  LineWriter& out_;
};

// JSON: keys in Istio's order; a missing value is null. A key is given with what stands around it: `,"method":`.
class JsonLine {
 public:
  explicit JsonLine(LineWriter& out) : out_(out) {}
  template <std::size_t kSize>
  void string(const char (&key)[kSize], std::string_view value) {
    quoted_if(!value.empty(), key, [&] { out_.put_escaped(value); });
  }
  template <std::size_t kSize>
  void word(const char (&key)[kSize], std::string_view value) {
    quoted_if(!value.empty(), key, [&] { out_.put_escaped_word(value); });
  }
  template <std::size_t kSize, typename Integer>
  void number(const char (&key)[kSize], Integer value) {
    out_.put_literal(key);
    out_.put_number(value);
  }
  template <std::size_t kSize>
  void quoted_number_if_known(const char (&key)[kSize], std::int64_t value) {
    quoted_if(value >= 0, key, [&] { out_.put_number(value); });
  }
  template <std::size_t kSize>
  void address(const char (&key)[kSize], const base::SocketAddress& address) {
    quoted_if(is_set(address), key, [&] { out_.put_address(address); });
  }

 private:
  template <std::size_t kSize, typename Put>
  void quoted_if(bool is_known, const char (&key)[kSize], Put put) {
    out_.put_literal(key);
    if (!is_known) {
      out_.put_literal("null");
      return;
    }
    out_.put('"');
    put();
    out_.put('"');
  }

  LineWriter& out_;
};

std::int64_t whole_milliseconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

std::string_view route_name(const RequestRecord& record) {
  if (record.route != nullptr) return record.route->name;
  return record.is_passthrough ? "allow_any" : "";
}

std::string_view upstream_cluster(const RequestRecord& record) {
  if (record.backend != nullptr) return record.backend->name;
  return record.is_passthrough ? "PassthroughCluster" : "";
}

base::SocketAddress upstream_host(const RequestRecord& record) {
  if (record.endpoint != nullptr) return record.endpoint->address;
  return record.is_passthrough ? record.downstream_local : base::SocketAddress{};
}

}  // namespace

void append_text_line(LineBuffer& buffer, const RequestRecord& record) {
  LineWriter out(buffer, "\\x");
  TextLine line(out);
  out.put('[');
  put_time(out, record.start_time);
  out.put("] \"");
  line.inner(record.method);
  out.put(' ');
  line.inner(record.path);
  out.put(' ');
  line.inner(record.protocol);
  out.put("\" ");
  out.put_number(record.response_code);
  out.put(' ');
  char flags[::telemetry::kMaxFlagsText];
  out.put({flags, ::telemetry::write_flags(flags, record.flags)});
  out.put(' ');
  line.bare(record.details);
  out.put(' ');
  line.bare(record.termination_details);
  out.put(" \"");
  line.bare(record.upstream_failure);
  out.put("\" ");
  out.put_number(record.request_body_bytes);
  out.put(' ');
  out.put_number(record.response_body_bytes);
  out.put(' ');
  out.put_number(whole_milliseconds(record.duration));
  out.put(' ');
  line.number_if_known(record.upstream_service_time_ms);
  for (const std::string_view value : {record.forwarded_for, record.user_agent, record.request_id, record.authority}) {
    out.put(' ');
    line.quoted(value);
  }
  out.put(" \"");
  line.address(upstream_host(record));
  out.put("\" ");
  line.bare(upstream_cluster(record));
  for (const base::SocketAddress& address :
       {record.upstream_local, record.downstream_local, record.downstream_remote}) {
    out.put(' ');
    line.address(address);
  }
  out.put(" - ");  // requested server name: nothing here is TLS
  line.bare(route_name(record));
  out.put('\n');
}

void append_json_line(LineBuffer& buffer, const RequestRecord& record) {
  LineWriter out(buffer, "\\u00");
  JsonLine line(out);
  char flags[::telemetry::kMaxFlagsText];
  out.put_literal(R"({"start_time":")");
  put_time(out, record.start_time);
  line.string(R"(","route_name":)", route_name(record));
  line.string(R"(,"method":)", record.method);
  line.string(R"(,"path":)", record.path);
  line.string(R"(,"protocol":)", record.protocol);
  line.number(R"(,"response_code":)", record.response_code);
  line.string(R"(,"response_flags":)", {flags, ::telemetry::write_flags(flags, record.flags)});
  line.word(R"(,"response_code_details":)", record.details);
  line.word(R"(,"connection_termination_details":)", record.termination_details);
  line.number(R"(,"bytes_received":)", record.request_body_bytes);
  line.number(R"(,"bytes_sent":)", record.response_body_bytes);
  line.number(R"(,"duration":)", whole_milliseconds(record.duration));
  line.quoted_number_if_known(R"(,"upstream_service_time":)", record.upstream_service_time_ms);
  line.string(R"(,"x_forwarded_for":)", record.forwarded_for);
  line.string(R"(,"user_agent":)", record.user_agent);
  line.string(R"(,"request_id":)", record.request_id);
  line.string(R"(,"authority":)", record.authority);
  line.address(R"(,"upstream_host":)", upstream_host(record));
  line.string(R"(,"upstream_cluster":)", upstream_cluster(record));
  line.address(R"(,"upstream_local_address":)", record.upstream_local);
  line.address(R"(,"downstream_local_address":)", record.downstream_local);
  line.address(R"(,"downstream_remote_address":)", record.downstream_remote);
  line.string(R"(,"requested_server_name":)", {});
  line.word(R"(,"upstream_transport_failure_reason":)", record.upstream_failure);
  // Not Istio's: they follow at the end.
  line.string(R"(,"source_workload":)", record.source != nullptr ? std::string_view(record.source->workload) : "");
  line.string(R"(,"source_namespace":)",
              record.source != nullptr ? std::string_view(record.source->workload_namespace) : "");
  line.string(R"(,"destination_workload":)",
              record.endpoint != nullptr ? std::string_view(record.endpoint->identity.workload) : "");
  line.string(R"(,"destination_service":)", record.service != nullptr ? std::string_view(record.service->host) : "");
  line.number(R"(,"attempts":)", record.attempts);
  line.string(R"(,"trace_id":)", record.trace_id);
  line.string(R"(,"decision":)", record.route != nullptr ? std::string_view(record.route->origin) : "");
  out.put_literal("}\n");
}

}  // namespace proxy::telemetry
