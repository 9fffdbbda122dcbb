#include <arpa/inet.h>

#include <charconv>
#include <chrono>

#include "proxy/telemetry/access_log.h"
#include "telemetry/response_flags.h"

// Istio's default text and JSON lines (OBSERVABILITY 7).
namespace proxy::telemetry {
namespace {

constexpr char kHex[] = "0123456789abcdef";

template <typename Integer>
void append_number(std::string& out, Integer value) {
  char buffer[24];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  out.append(buffer, end);
}

void append_digits(std::string& out, unsigned value, int width) {
  char buffer[10];
  for (int i = width; i-- > 0; value /= 10) buffer[i] = static_cast<char>('0' + value % 10);
  out.append(buffer, static_cast<std::size_t>(width));
}

// 2026-11-23T13:41:19.998Z. The calendar is worked out once a second.
void append_time(std::string& out, base::WallTime time) {
  using namespace std::chrono;
  thread_local sys_seconds cached_second = sys_seconds::min();
  thread_local std::string cached_text;
  const auto second = floor<seconds>(time);
  if (second != cached_second) {
    const auto day = floor<days>(second);
    const year_month_day date(day);
    const hh_mm_ss clock(second - day);
    cached_text.clear();
    append_digits(cached_text, static_cast<unsigned>(static_cast<int>(date.year())), 4);
    cached_text += '-';
    append_digits(cached_text, static_cast<unsigned>(date.month()), 2);
    cached_text += '-';
    append_digits(cached_text, static_cast<unsigned>(date.day()), 2);
    cached_text += 'T';
    append_digits(cached_text, static_cast<unsigned>(clock.hours().count()), 2);
    cached_text += ':';
    append_digits(cached_text, static_cast<unsigned>(clock.minutes().count()), 2);
    cached_text += ':';
    append_digits(cached_text, static_cast<unsigned>(clock.seconds().count()), 2);
    cached_text += '.';
    cached_second = second;
  }
  out += cached_text;
  append_digits(out, static_cast<unsigned>(duration_cast<milliseconds>(time - second).count()), 3);
  out += 'Z';
}

void append_address(std::string& out, const base::SocketAddress& address) {
  const auto& bytes = address.ip.bytes;
  if (address.ip.is_v4()) {
    for (std::size_t i = 12; i < 16; ++i) {
      if (i > 12) out += '.';
      append_number(out, static_cast<unsigned>(bytes[i]));
    }
  } else {
    char text[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
    out += '[';
    out += text;
    out += ']';
  }
  out += ':';
  append_number(out, address.port);
}

bool is_set(const base::SocketAddress& address) { return address != base::SocketAddress{}; }

// Length of the UTF-8 sequence at the start of `text`; 0 when it is not valid, or is a control character.
std::size_t printable_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  std::size_t length = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
  if (lead >= 0xc2 && lead <= 0xdf) {
    length = 2;
    if (lead == 0xc2) low = 0xa0;  // U+0080..U+009F are controls
  } else if (lead >= 0xe0 && lead <= 0xef) {
    length = 3;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    length = 4;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
  }
  if (length == 0 || text.size() < length || byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return 0;
  }
  return length;
}

enum class Blanks : std::uint8_t { kept, underscored };

// `hex_escape` starts the escape of a byte that may not be shown: \xHH in text, \u00HH in JSON.
void append_escaped(std::string& out, std::string_view value, std::string_view hex_escape, Blanks blanks) {
  std::size_t plain_begin = 0;
  std::size_t i = 0;
  const auto flush_plain = [&] { out.append(value, plain_begin, i - plain_begin); };
  while (i < value.size()) {
    const auto c = static_cast<unsigned char>(value[i]);
    if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && (c != ' ' || blanks == Blanks::kept)) {
      ++i;
      continue;
    }
    if (c >= 0x80) {
      if (const std::size_t length = printable_sequence(value.substr(i)); length > 0) {
        i += length;
        continue;
      }
    }
    flush_plain();
    if (c == ' ') {
      out += '_';
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else {
      out += hex_escape;
      out += kHex[c >> 4U];
      out += kHex[c & 15U];
    }
    plain_begin = ++i;
  }
  flush_plain();
}

// Text: a value stands bare between blanks or in quotes; a missing one is `-`.
class TextLine {
 public:
  explicit TextLine(std::string& out) : out_(out) {}
  void bare(std::string_view value) {
    value.empty() ? void(out_ += '-') : append_escaped(out_, value, "\\x", Blanks::underscored);
  }
  void quoted(std::string_view value) {
    out_ += '"';
    inner(value);
    out_ += '"';
  }
  void inner(std::string_view value) {
    value.empty() ? void(out_ += '-') : append_escaped(out_, value, "\\x", Blanks::kept);
  }
  void address(const base::SocketAddress& address) {
    is_set(address) ? append_address(out_, address) : void(out_ += '-');
  }

 private:
  std::string& out_;
};

// JSON: keys in Istio's order; a missing value is null.
class JsonLine {
 public:
  explicit JsonLine(std::string& out) : out_(out) { out_ += '{'; }
  void string(std::string_view name, std::string_view value, Blanks blanks = Blanks::kept) {
    key(name);
    if (value.empty()) {
      out_ += "null";
      return;
    }
    out_ += '"';
    append_escaped(out_, value, "\\u00", blanks);
    out_ += '"';
  }
  template <typename Integer>
  void number(std::string_view name, Integer value) {
    key(name);
    append_number(out_, value);
  }
  void address(std::string_view name, const base::SocketAddress& address) {
    key(name);
    if (!is_set(address)) {
      out_ += "null";
      return;
    }
    out_ += '"';
    append_address(out_, address);
    out_ += '"';
  }
  void time(std::string_view name, base::WallTime time) {
    key(name);
    out_ += '"';
    append_time(out_, time);
    out_ += '"';
  }
  void end() { out_ += "}\n"; }

 private:
  void key(std::string_view name) {
    if (!is_first_) out_ += ',';
    is_first_ = false;
    out_ += '"';
    out_ += name;
    out_ += "\":";
  }
  std::string& out_;
  bool is_first_ = true;
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

struct ServiceTime {
  explicit ServiceTime(std::int64_t ms) {
    if (ms >= 0) end = std::to_chars(buffer, buffer + sizeof buffer, ms).ptr;
  }
  [[nodiscard]] std::string_view text() const { return {buffer, end}; }
  char buffer[24];
  char* end = buffer;
};

}  // namespace

void append_text_line(std::string& out, const RequestRecord& record) {
  TextLine line(out);
  out += '[';
  append_time(out, record.start_time);
  out += "] \"";
  line.inner(record.method);
  out += ' ';
  line.inner(record.path);
  out += ' ';
  line.inner(record.protocol);
  out += "\" ";
  append_number(out, record.response_code);
  out += ' ';
  char flags[::telemetry::kMaxFlagsText];
  out.append(flags, ::telemetry::write_flags(flags, record.flags));
  out += ' ';
  line.bare(record.details);
  out += ' ';
  line.bare(record.termination_details);
  out += " \"";
  line.bare(record.upstream_failure);
  out += "\" ";
  append_number(out, record.request_body_bytes);
  out += ' ';
  append_number(out, record.response_body_bytes);
  out += ' ';
  append_number(out, whole_milliseconds(record.duration));
  out += ' ';
  line.bare(ServiceTime(record.upstream_service_time_ms).text());
  for (const std::string_view value : {record.forwarded_for, record.user_agent, record.request_id, record.authority}) {
    out += ' ';
    line.quoted(value);
  }
  out += " \"";
  line.address(upstream_host(record));
  out += "\" ";
  line.bare(upstream_cluster(record));
  for (const base::SocketAddress& address :
       {record.upstream_local, record.downstream_local, record.downstream_remote}) {
    out += ' ';
    line.address(address);
  }
  out += " - ";  // requested server name: nothing here is TLS
  line.bare(route_name(record));
  out += '\n';
}

void append_json_line(std::string& out, const RequestRecord& record) {
  JsonLine line(out);
  char flags[::telemetry::kMaxFlagsText];
  line.time("start_time", record.start_time);
  line.string("route_name", route_name(record));
  line.string("method", record.method);
  line.string("path", record.path);
  line.string("protocol", record.protocol);
  line.number("response_code", record.response_code);
  line.string("response_flags", {flags, ::telemetry::write_flags(flags, record.flags)});
  line.string("response_code_details", record.details, Blanks::underscored);
  line.string("connection_termination_details", record.termination_details, Blanks::underscored);
  line.number("bytes_received", record.request_body_bytes);
  line.number("bytes_sent", record.response_body_bytes);
  line.number("duration", whole_milliseconds(record.duration));
  line.string("upstream_service_time", ServiceTime(record.upstream_service_time_ms).text());
  line.string("x_forwarded_for", record.forwarded_for);
  line.string("user_agent", record.user_agent);
  line.string("request_id", record.request_id);
  line.string("authority", record.authority);
  line.address("upstream_host", upstream_host(record));
  line.string("upstream_cluster", upstream_cluster(record));
  line.address("upstream_local_address", record.upstream_local);
  line.address("downstream_local_address", record.downstream_local);
  line.address("downstream_remote_address", record.downstream_remote);
  line.string("requested_server_name", {});
  line.string("upstream_transport_failure_reason", record.upstream_failure, Blanks::underscored);
  // Not Istio's: they follow at the end.
  line.string("source_workload", record.source != nullptr ? std::string_view(record.source->workload) : "");
  line.string("source_namespace", record.source != nullptr ? std::string_view(record.source->workload_namespace) : "");
  line.string("destination_workload",
              record.endpoint != nullptr ? std::string_view(record.endpoint->identity.workload) : "");
  line.string("destination_service", record.service != nullptr ? std::string_view(record.service->host) : "");
  line.number("attempts", record.attempts);
  line.string("trace_id", record.trace_id);
  line.string("decision", record.route != nullptr ? std::string_view(record.route->origin) : "");
  line.end();
}

}  // namespace proxy::telemetry
