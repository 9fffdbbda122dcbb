#include "config/istio/common.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

namespace config::istio {
namespace {

constexpr Field kMetadata[] = {
    {.name = "name", .is_required = true},
    {.name = "namespace"},
    {.name = "labels", .type = Type::text_map},
    {.name = "annotations", .type = Type::text_map},
    {.name = "creationTimestamp", .type = Type::any},
    // Written by the API server; a dump of kubectl has them.
    {.name = "generateName", .type = Type::any},
    {.name = "uid", .type = Type::any},
    {.name = "resourceVersion", .type = Type::any},
    {.name = "generation", .type = Type::any},
    {.name = "selfLink", .type = Type::any},
    {.name = "managedFields", .type = Type::any},
    {.name = "ownerReferences", .type = Type::any},
    {.name = "finalizers", .type = Type::any},
    {.name = "deletionTimestamp", .type = Type::any},
    {.name = "deletionGracePeriodSeconds", .type = Type::any},
};

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Kubernetes' qualified name and label value: letters, digits and -_. inside, letters or digits at the ends.
bool is_label_text(std::string_view text) {
  if (text.empty() || text.size() > 63) return false;
  if (!is_alphanumeric(text.front()) || !is_alphanumeric(text.back())) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

// a.b.c, without a dot at the end.
bool are_dns_labels(std::string_view domain) {
  while (true) {
    const auto dot = domain.find('.');
    if (!is_dns_label(domain.substr(0, dot))) return false;
    if (dot == domain.npos) return true;
    domain.remove_prefix(dot + 1);
  }
}

bool is_label_key(std::string_view key) {
  const auto slash = key.find('/');
  if (slash == key.npos) return is_label_text(key);
  const auto prefix = key.substr(0, slash);
  return prefix.size() <= 253 && are_dns_labels(prefix) && is_label_text(key.substr(slash + 1));
}

// What is wrong with a fully qualified name, or with the end of one called `name`; empty: nothing.
std::string domain_problem(std::string_view domain, std::string_view name) {
  if (domain.empty()) return "is empty; write a host name";
  if (domain.size() > 255) return "has " + std::to_string(domain.size()) + " characters; at most 255 are allowed";
  std::string_view rest = domain;
  std::string_view label;
  while (true) {
    const auto dot = rest.find('.');
    label = rest.substr(0, dot);
    const bool is_last = dot == rest.npos;
    if (is_last && label.empty() && domain.size() > 1) return {};  // a trailing dot
    if (!is_dns_label(label)) {
      return quoted(name) + " is not a host name: " + quoted(label) +
             " must be letters, digits and inner hyphens, at most 63";
    }
    if (is_last) break;
    rest.remove_prefix(dot + 1);
  }
  if (is_digits(label)) return quoted(name) + " is not a host name: the last part is a number";
  return {};
}

}  // namespace

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

std::string quoted(std::string_view text) {
  const bool is_long = text.size() > 80;
  return "\"" + std::string(text.substr(0, 80)) + (is_long ? "...\"" : "\"");
}

std::span<const Field> metadata_fields() { return kMetadata; }

std::vector<Field> document_fields(std::span<const Field> spec_fields) {
  return {{.name = "apiVersion", .is_required = true},
          {.name = "kind", .is_required = true},
          {.name = "metadata", .type = Type::object, .fields = kMetadata, .is_required = true},
          {.name = "spec", .type = Type::object, .fields = spec_fields, .is_required = true},
          {.name = "status", .type = Type::any}};
}

Metadata read_metadata(const Node& root, const std::string& file) {
  const Node node = root["metadata"];
  Metadata metadata;
  metadata.name = node["name"].text();
  metadata.name_space = node["namespace"].text("default");
  metadata.labels = node["labels"].text_map();
  metadata.annotations = node["annotations"].text_map();
  metadata.creation_timestamp = node["creationTimestamp"].text();
  metadata.origin = {file, root.mark().line, root.mark().column, ""};
  return metadata;
}

Origin origin_of(const Node& node, const Context& context) {
  return {context.file, node.mark().line, node.mark().column, node.path()};
}

std::string expand_host(std::string_view host, const Context& context) {
  std::string name(host);
  if (name.find('.') != name.npos || name == "*" || name.find(':') != name.npos) return name;
  return name + "." + context.metadata.name_space + ".svc." + context.cluster_domain;
}

std::string expand_gateway(std::string_view gateway, const Context& context) {
  if (gateway == "mesh" || gateway.find('/') != gateway.npos) return std::string(gateway);
  return context.metadata.name_space + "/" + std::string(gateway);
}

bool is_dns_label(std::string_view text) {
  if (text.empty() || text.size() > 63) return false;
  if (!is_alphanumeric(text.front()) || !is_alphanumeric(text.back())) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return is_alphanumeric(c) || c == '-'; });
}

bool is_wildcard(std::string_view host) { return host.starts_with('*'); }

// As Istio reads it: the rules for the end of a name do not apply to a first part that stands alone.
void check_host(const Node& node, Report& report, Addresses addresses) {
  const std::string host = node.text();
  if (addresses == Addresses::allowed && base::IpAddress::parse(host)) return;
  const auto dot = host.find('.');
  std::string_view first = std::string_view(host).substr(0, dot);
  if (std::string_view(host).find('*', 1) != host.npos) {
    report.error(node, quoted(host) + " is not a host name: * may only stand at its beginning, as in *.example.com");
    return;
  }
  if (first.starts_with("*-") && first.size() > 2) first.remove_prefix(2);
  if (first.starts_with('*')) first.remove_prefix(1);
  const std::string_view rest = dot == host.npos ? std::string_view() : std::string_view(host).substr(dot + 1);
  const bool is_star = host.starts_with('*') && first.empty();
  std::string problem;
  if (!is_star && (first.empty() || !is_dns_label(first) || host.size() > 255)) {
    problem = domain_problem(host, host);
  } else if (!rest.empty()) {
    problem = domain_problem(rest, host);
  }
  if (!problem.empty()) report.error(node, std::move(problem));
}

void check_domain(const Node& node, Report& report, Addresses addresses) {
  if (addresses == Addresses::allowed && base::IpAddress::parse(node.text())) return;
  const std::string domain = node.text();
  if (auto problem = domain_problem(domain, domain); !problem.empty()) report.error(node, std::move(problem));
}

void check_labels(const Node& node, Report& report) {
  for (const auto& [key, value] : node.members()) {
    if (!is_label_key(key)) {
      report.error(value, "the label's name " + quoted(key) + " is not allowed; letters, digits and inner -_. are");
    }
    const std::string text = value.text();
    if (!text.empty() && !is_label_text(text)) {
      report.error(value, "the label's value " + quoted(text) +
                              " is not allowed; letters, digits and inner -_. are, at most 63");
    }
  }
}

void check_export_to(const Node& node, const Context& context, bool allows_nobody, Report& report) {
  std::set<std::string> seen;
  const auto items = node.items();
  for (const Node& item : items) {
    const std::string entry = item.text();
    const std::string key = entry == "." ? context.metadata.name_space : entry;
    if (!seen.insert(key).second)
      report.error(item, quoted(entry) + " is there twice (. is this namespace); remove one");
    if (entry == "~") {
      if (!allows_nobody) report.error(item, "~ (nobody) is only allowed in a ServiceEntry");
    } else if (entry != "." && entry != "*" && !is_dns_label(entry)) {
      report.error(item, quoted(entry) + " is not a namespace; write its name, . for this one or * for all");
    }
    if ((entry == "*" || entry == "~") && items.size() > 1) {
      report.error(item, quoted(entry) + " must stand alone; remove the other entries");
    }
  }
}

void check_gateways(const Node& node, Report& report) {
  for (const Node& item : node.items()) {
    const std::string gateway = item.text();
    const auto slash = gateway.find('/');
    if (slash == gateway.npos) {
      if (auto problem = domain_problem(gateway, gateway); !problem.empty()) report.error(item, std::move(problem));
    } else if (!is_dns_label(gateway.substr(0, slash)) || !is_dns_label(gateway.substr(slash + 1))) {
      report.error(item, quoted(gateway) + " is not a gateway; write <namespace>/<name>");
    }
  }
}

namespace {

// "one byte", which RE2 understands and Go's regular expressions, with which Istio checks, do not.
bool has_byte_class(std::string_view pattern) {
  for (std::size_t i = 0; i + 1 < pattern.size(); ++i) {
    if (pattern[i] != '\\') continue;
    if (pattern[++i] == 'C') return true;
  }
  return false;
}

}  // namespace

void check_regex(const Node& node, Report& report) {
  const std::string pattern = node.text();
  if (pattern.empty()) {
    report.error(node, "is empty; write a regular expression");
    return;
  }
  if (pattern.size() > 1024) {
    report.error(node, "has " + std::to_string(pattern.size()) + " characters; at most 1024 are allowed");
    return;
  }
  if (has_byte_class(pattern)) {
    report.error(node, "has \\C, which Istio does not allow; write . for one character");
    return;
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  const re2::RE2 compiled(pattern, options);
  if (!compiled.ok()) {
    report.error(node, quoted(pattern) + " is not a regular expression of RE2: " + compiled.error());
  }
}

void check_percentage(const Node& node, Report& report) {
  const Node value = node["value"];
  if (!value) return;
  const double percent = value.number();
  if (percent != 0 && (percent < 0.0001 || percent > 100)) {
    report.error(value, value.value()->text + " is out of range; allowed is 0, or 0.0001 to 100");
  }
}

base::Result<base::IpAddress> parse_address(const Node& node, Report& report) {
  auto address = base::IpAddress::parse(node.text());
  if (!address) report.error(node, quoted(node.text()) + " is not an IPv4 or IPv6 address");
  return address;
}

// Truncated as istiod does it.
std::uint32_t parts_per_million(double percent) { return static_cast<std::uint32_t>(percent * 10'000); }

ProtocolChoice choose_protocol(std::string_view declared, std::string_view port_name, std::uint16_t number) {
  std::string word = lower(declared);
  bool is_declared = !word.empty();
  if (!is_declared) {
    word = lower(port_name.substr(0, port_name.find('-')));
    if (port_name.starts_with("grpc-web")) word = "grpc-web";
  }
  if (word.starts_with("kubernetes.io/")) {
    word = word == "kubernetes.io/h2c" ? "http2" : word == "kubernetes.io/ws" ? "http" : "tcp";
  }
  if (word == "http" || word == "grpc-web") return {Protocol::http, true, false};
  if (word == "http2" || word == "grpc") return {Protocol::tcp, true, true};
  static constexpr std::array<std::string_view, 9> kTcp = {"tcp",   "tls", "https",  "mongo", "mysql",
                                                           "redis", "udp", "thrift", "kafka"};
  if (std::find(kTcp.begin(), kTcp.end(), word) != kTcp.end()) return {Protocol::tcp, true, false};
  // Not declared: detected from the first bytes, except where the server is known to speak first.
  static constexpr std::array<std::uint16_t, 4> kServerFirst = {25, 53, 3306, 27017};
  const bool speaks_first = std::find(kServerFirst.begin(), kServerFirst.end(), number) != kServerFirst.end();
  return {speaks_first ? Protocol::tcp : Protocol::http, !is_declared, false};
}

}  // namespace config::istio
