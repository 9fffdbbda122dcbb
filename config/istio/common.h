#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/documents.h"
#include "config/yaml/node.h"
#include "config/yaml/schema.h"

// What several kinds share: metadata, names, and the checks that are Istio's rather than a table's.
namespace config::istio {

using yaml::Field;
using yaml::Node;
using yaml::Report;
using yaml::Support;
using yaml::Type;

inline constexpr std::int64_t kMaxPort = 65535;
inline constexpr std::int64_t kMaxInt32 = 2147483647;
inline constexpr std::int64_t kMaxUint32 = 4294967295;

// What a reader needs to know besides the document itself.
struct Context {
  std::string file;
  Metadata metadata;
  std::string cluster_domain = "cluster.local";
};

// The fields of a whole document of a kind: apiVersion, kind, metadata, spec (with `spec_fields`), status.
std::vector<Field> document_fields(std::span<const Field> spec_fields);
std::span<const Field> metadata_fields();

Metadata read_metadata(const Node& root, const std::string& file);
Origin origin_of(const Node& node, const Context& context);

std::string lower(std::string_view text);

// A name without a dot becomes name.<namespace>.svc.<domain> (SEMANTICS 2.1).
std::string expand_host(std::string_view host, const Context& context);
// "gw" -> "<namespace>/gw"; "mesh" stays.
std::string expand_gateway(std::string_view gateway, const Context& context);

bool is_dns_label(std::string_view text);  // RFC 1123, at most 63
bool is_wildcard(std::string_view host);   // begins with *

// Each reports what Istio's admission check refuses about a field.
enum class Addresses : std::uint8_t { refused, allowed };
// A domain name, or the end of one after a *: "*", "*.example.com", "*-a.example.com", "*a".
void check_host(const Node& node, Report& report, Addresses addresses = Addresses::refused);
void check_domain(const Node& node, Report& report, Addresses addresses);  // the same without a *
void check_labels(const Node& node, Report& report);
void check_export_to(const Node& node, const Context& context, bool allows_nobody, Report& report);
void check_gateways(const Node& node, Report& report);
void check_regex(const Node& node, Report& report);
void check_percentage(const Node& node, Report& report);  // 0, or 0.0001 to 100

base::Result<base::IpAddress> parse_address(const Node& node, Report& report);

std::string quoted(std::string_view text);
std::uint32_t parts_per_million(double percent);

// Whether port `number` called `name` carries HTTP: by `protocol` or `app_protocol`, else by the name's first word.
struct ProtocolChoice {
  Protocol protocol = Protocol::http;
  bool is_known = true;
  bool is_http2 = false;  // HTTP/2 or gRPC: passed as TCP in this version
};
ProtocolChoice choose_protocol(std::string_view declared, std::string_view port_name, std::uint16_t number);

}  // namespace config::istio
