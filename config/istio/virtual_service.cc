#include "config/istio/virtual_service.h"

#include <algorithm>
#include <array>

#include "config/istio/destination.h"
#include "config/istio/header_operations.h"
#include "config/istio/retry_settings.h"
#include "config/istio/tcp_and_tls_rules.h"
#include "config/istio/unenforced_actions.h"

namespace config::istio {
namespace {

constexpr std::size_t kMaxDirectResponseBytes = std::size_t{1024} * 1024;

void exclude(const Node& rule, std::string_view a, std::string_view b, Report& report) {
  if (rule[a] && rule[b]) {
    report.error(rule[b], "cannot stand together with " + std::string(a) + " in one rule; remove one of them");
  }
}

// `allows_empty_prefix`: of a uri, where it matches everything.
std::optional<StringMatch> read_string_match(const Node& node, bool allows_empty_prefix, Report& report) {
  StringMatch match;
  const Node exact = node["exact"], prefix = node["prefix"], regex = node["regex"];
  const int given = (exact ? 1 : 0) + (prefix ? 1 : 0) + (regex ? 1 : 0);
  if (given > 1) report.error(node, "has more than one of exact, prefix and regex; keep one");
  if (exact) {
    match.kind = MatchKind::exact;
    match.value = exact.text();
  } else if (prefix) {
    match.kind = MatchKind::prefix;
    match.value = prefix.text();
    if (match.value.empty() && !allows_empty_prefix) report.error(prefix, "is empty; write the prefix to match");
  } else if (regex) {
    match.kind = MatchKind::regex;
    match.value = regex.text();
    check_regex(regex, report);
  } else {
    return std::nullopt;
  }
  return match;
}

const StringMatch kPresent{MatchKind::present, "", false};

// Of a header or query parameter: nothing, or regex "*" (which is no regular expression), means that it is there.
StringMatch read_presence_match(const Node& node, bool allows_star, Report& report) {
  if (allows_star && node["regex"].text() == "*" && !node["exact"] && !node["prefix"]) {
    return kPresent;
  }
  return read_string_match(node, false, report).value_or(kPresent);
}

void read_header_matches(const Node& node, bool is_inverted, RouteMatch& match, Report& report) {
  for (const auto& [name, value] : node.members()) {
    if (name.starts_with("@request.auth.claims")) {
      report.error(value, "conditions on JWT claims are for gateways; remove it");
      continue;
    }
    if (!is_header_name(name)) report.error(value, quoted(name) + " is not a header name");
    if (!value && !is_inverted) {
      report.error(value, "has no condition; write {} for a header that must be there");
      continue;
    }
    HeaderMatch header;
    header.name = lower(name);
    header.match = read_presence_match(value, is_inverted, report);
    header.is_inverted = is_inverted;
    match.headers.push_back(std::move(header));
  }
}

HttpMatch read_match(const Node& node, const Context& context, Report& report) {
  HttpMatch result;
  result.name = node["name"].text();
  RouteMatch& match = result.match;
  if (const Node uri = node["uri"]) match.uri = read_string_match(uri, true, report);
  if (match.uri && match.uri->kind != MatchKind::regex) match.uri->ignore_case = node["ignoreUriCase"].boolean();
  // A condition without an operator asks only that the field is there, and these always are.
  if (const Node field = node["scheme"]) match.scheme = read_string_match(field, false, report);
  if (const Node field = node["method"]) match.method = read_string_match(field, false, report);
  if (const Node field = node["authority"]) match.authority = read_string_match(field, false, report);
  read_header_matches(node["headers"], false, match, report);
  read_header_matches(node["withoutHeaders"], true, match, report);
  for (const auto& [name, value] : node["queryParams"].members()) {
    match.query.push_back({name, read_presence_match(value, false, report)});
  }
  result.port = static_cast<std::uint16_t>(node["port"].integer());
  check_labels(node["sourceLabels"], report);
  result.source_labels = node["sourceLabels"].text_map();
  result.source_namespace = node["sourceNamespace"].text();
  if (!result.source_namespace.empty() && !is_dns_label(result.source_namespace)) {
    report.error(node["sourceNamespace"], quoted(result.source_namespace) + " is not a namespace");
  }
  check_gateways(node["gateways"], report);
  for (const std::string& gateway : node["gateways"].texts()) {
    result.gateways.push_back(expand_gateway(gateway, context));
  }
  return result;
}

std::vector<RouteDestination> read_destinations(const Node& node, const Context& context, Report& report) {
  std::vector<RouteDestination> destinations;
  for (const Node& item : node.items()) {
    const Node destination = item["destination"];
    check_destination(destination, report);
    RouteDestination read;
    read.host = expand_host(destination["host"].text(), context);
    read.subset = destination["subset"].text();
    read.port = static_cast<std::uint16_t>(destination["port"]["number"].integer());
    read.weight = static_cast<std::uint32_t>(item["weight"].integer());
    read.origin = origin_of(destination, context);
    destinations.push_back(std::move(read));
  }
  check_weights(node, report);
  return destinations;
}

FaultPolicy read_fault(const Node& node, Report& report) {
  FaultPolicy fault;
  const Node delay = node["delay"], abort = node["abort"];
  if (!delay && !abort) report.error(node, "has neither delay nor abort; add one or remove the block");
  if (delay) {
    check_percentage(delay["percentage"], report);
    if (delay["exponentialDelay"]) report.error(delay["exponentialDelay"], "is not supported; use fixedDelay");
    const auto fixed = delay["fixedDelay"].duration();
    fault.delay = fixed.value_or(Milliseconds{0});
    if (fixed) {
      fault.delay_per_million = delay["percentage"] ? parts_per_million(delay["percentage"]["value"].number())
                                                    : static_cast<std::uint32_t>(delay["percent"].integer()) * 10'000;
    }
    if (fixed && fault.delay_per_million == 0) {
      report.warn(kDeprecatedIgnored, delay,
                  "delays nothing: percentage is not set or 0; add percentage: {value: 100}");
    }
  }
  if (abort) {
    check_percentage(abort["percentage"], report);
    if (abort["http2Error"]) report.error(abort["http2Error"], "is not supported; use httpStatus");
    if (const Node grpc = abort["grpcStatus"]) {
      constexpr std::array<std::string_view, 17> kStatuses = {
          "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
          "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
          "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
          "DATA_LOSS", "UNAUTHENTICATED"};
      const auto* const status = std::find(kStatuses.begin(), kStatuses.end(), grpc.text());
      if (status == kStatuses.end()) {
        report.error(grpc, quoted(grpc.text()) + " is not a gRPC status; write for example UNAVAILABLE");
      }
      if (abort["httpStatus"]) report.error(grpc, "cannot stand together with httpStatus; remove one of them");
      fault.abort_status = 200;
      fault.abort_grpc_status = static_cast<std::uint8_t>(status - kStatuses.begin());
    } else {
      fault.abort_status = static_cast<std::uint16_t>(abort["httpStatus"].integer());
    }
    if (fault.abort_status != 0) {
      fault.abort_per_million = parts_per_million(abort["percentage"]["value"].number());
      if (fault.abort_per_million == 0) {
        report.warn(kDeprecatedIgnored, abort,
                    "aborts nothing: percentage is not set or 0; add percentage: {value: 100}");
      }
    }
  }
  return fault;
}

std::optional<std::string> decode_base64(std::string_view text) {
  std::string bytes;
  std::uint32_t bits = 0;
  int held = 0;
  while (text.ends_with('=')) text.remove_suffix(1);
  for (const char c : text) {
    std::uint32_t digit = 0;
    if (c >= 'A' && c <= 'Z')
      digit = static_cast<std::uint32_t>(c - 'A');
    else if (c >= 'a' && c <= 'z')
      digit = static_cast<std::uint32_t>(c - 'a') + 26;
    else if (c >= '0' && c <= '9')
      digit = static_cast<std::uint32_t>(c - '0') + 52;
    else if (c == '+' || c == '-')
      digit = 62;
    else if (c == '/' || c == '_')
      digit = 63;
    else
      return std::nullopt;
    bits = bits << 6 | digit;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes += static_cast<char>(bits >> held & 0xff);
    }
  }
  return bytes;
}

DirectResponse read_direct_response(const Node& node, Report& report) {
  DirectResponse response;
  response.status = static_cast<std::uint16_t>(node["status"].integer());
  const Node body = node["body"];
  response.body = body["string"].text();
  if (body["string"] && body["bytes"]) report.error(body, "has both string and bytes; keep one");
  if (const Node bytes = body["bytes"]) {
    if (auto decoded = decode_base64(bytes.text())) {
      response.body = std::move(*decoded);
    } else {
      report.error(bytes, "is not base64");
    }
  }
  if (response.body.size() > kMaxDirectResponseBytes) {
    report.error(body, "has " + std::to_string(response.body.size()) + " bytes; at most 1048576 are allowed");
  }
  return response;
}

void check_rule_shape(const Node& rule, bool is_delegate, Report& report) {
  if (rule["delegate"]) {
    if (is_delegate) report.error(rule["delegate"], "a delegate cannot delegate again");
    exclude(rule, "delegate", "route", report);
    exclude(rule, "delegate", "redirect", report);
    if (!is_delegate) return;
  }
  const bool has_route = !rule["route"].items().empty();
  if (rule["redirect"]) {
    if (has_route) exclude(rule, "route", "redirect", report);
    for (const std::string_view other : {"fault", "rewrite", "directResponse"})
      exclude(rule, other, "redirect", report);
  } else if (rule["directResponse"]) {
    if (has_route) exclude(rule, "route", "directResponse", report);
    for (const std::string_view other : {"fault", "rewrite"}) exclude(rule, other, "directResponse", report);
  } else if (!has_route) {
    report.error(rule, "has no route, redirect or directResponse; add one");
  }
  exclude(rule, "mirror", "mirrors", report);
}

HttpRule read_rule(const Node& node, const Context& context, bool is_delegate, Report& report) {
  check_rule_shape(node, is_delegate, report);
  check_unenforced_actions(node, report);

  HttpRule rule;
  rule.name = node["name"].text();
  rule.origin = origin_of(node, context);
  for (const Node& match : node["match"].items()) rule.matches.push_back(read_match(match, context, report));
  rule.destinations = read_destinations(node["route"], context, report);
  if (node["directResponse"]) rule.direct_response = read_direct_response(node["directResponse"], report);
  rule.is_redirect = static_cast<bool>(node["redirect"]);
  rule.timeout = node["timeout"].duration();
  if (node["retries"]) rule.retries = read_retries(node["retries"], report);
  if (node["fault"]) rule.fault = read_fault(node["fault"], report);
  return rule;
}

// A wildcard covers a name, or another wildcard, that ends like it.
bool covers(std::string_view a, std::string_view b) {
  if (a == b) return true;
  const auto is_within = [](std::string_view wildcard, std::string_view host) {
    if (!is_wildcard(wildcard)) return false;
    if (is_wildcard(host)) host.remove_prefix(1);
    wildcard.remove_prefix(1);
    return host.ends_with(wildcard);
  };
  return is_within(a, b) || is_within(b, a);
}

void check_hosts(const Node& node, bool is_for_mesh, Report& report) {
  const auto items = node.items();
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string host = items[i].text();
    if (host == "*" && is_for_mesh) {
      report.error(items[i], "\"*\" is only allowed on a gateway; name the hosts, or *.<domain>");
      continue;
    }
    check_host(items[i], report, Addresses::allowed);
    for (std::size_t j = 0; j < i; ++j) {
      if (covers(host, items[j].text())) {
        report.error(items[i], quoted(host) + " and " + quoted(items[j].text()) + " overlap; keep one of them");
      }
    }
  }
}

}  // namespace

VirtualService read_virtual_service(const Node& spec, const Context& context, Report& report) {
  VirtualService service;
  service.metadata = context.metadata;
  check_gateways(spec["gateways"], report);
  for (const std::string& gateway : spec["gateways"].texts()) {
    service.gateways.push_back(expand_gateway(gateway, context));
  }
  if (service.gateways.empty()) service.gateways = {"mesh"};
  const bool is_for_mesh =
      std::find(service.gateways.begin(), service.gateways.end(), "mesh") != service.gateways.end();
  check_hosts(spec["hosts"], is_for_mesh, report);
  for (const std::string& host : spec["hosts"].texts()) service.hosts.push_back(expand_host(lower(host), context));
  if (service.hosts.empty()) {
    for (const std::string_view name : {"gateways", "tls", "tcp"}) {
      if (!spec[name].items().empty()) {
        report.error(spec[name], "is not allowed without hosts: that makes it a delegate; add hosts");
      }
    }
  }
  if (spec["http"].items().empty() && spec["tcp"].items().empty() && spec["tls"].items().empty()) {
    report.error(spec, "has no http, tls or tcp rules; add one");
  }
  for (const Node& rule : spec["http"].items()) {
    service.http.push_back(read_rule(rule, context, service.hosts.empty(), report));
  }
  check_tls_rules(spec, report);
  check_tcp_rules(spec, report);
  check_export_to(spec["exportTo"], context, false, report);
  service.export_to = spec["exportTo"].texts();
  return service;
}

}  // namespace config::istio
