#include "config/istio/read_document.h"

#include <algorithm>
#include <array>

#include "config/istio/destination_rule.h"
#include "config/istio/own_kinds.h"
#include "config/istio/services.h"
#include "config/istio/virtual_service.h"

namespace config::istio {
namespace {

constexpr std::array<std::string_view, 3> kIstioVersions = {"networking.istio.io/v1", "networking.istio.io/v1beta1",
                                                            "networking.istio.io/v1alpha3"};
constexpr std::array<std::string_view, 1> kCoreVersions = {"v1"};
constexpr std::array<std::string_view, 1> kDiscoveryVersions = {"discovery.k8s.io/v1"};
constexpr std::array<std::string_view, 1> kOwnVersions = {"fairlead.dev/v1alpha1"};

struct Kind {
  std::string_view name;
  std::span<const std::string_view> versions;
  std::vector<Field> (*fields)();
  DocumentBody (*read)(const Node& root, const Context& context, Report& report);
};

const std::array<Kind, 7> kKinds = {{
    {"VirtualService", kIstioVersions, [] { return document_fields(virtual_service_fields()); },
     [](const Node& root, const Context& context, Report& report) -> DocumentBody {
       return read_virtual_service(root["spec"], context, report);
     }},
    {"DestinationRule", kIstioVersions, [] { return document_fields(destination_rule_fields()); },
     [](const Node& root, const Context& context, Report& report) -> DocumentBody {
       return read_destination_rule(root["spec"], context, report);
     }},
    {"ServiceEntry", kIstioVersions, [] { return document_fields(service_entry_fields()); },
     [](const Node& root, const Context& context, Report& report) -> DocumentBody {
       return read_service_entry(root["spec"], context, report);
     }},
    {"Service", kCoreVersions, [] { return document_fields(kubernetes_service_fields()); },
     [](const Node& root, const Context& context, Report& report) -> DocumentBody {
       return read_kubernetes_service(root["spec"], context, report);
     }},
    {"EndpointSlice", kDiscoveryVersions, [] { return endpoint_slice_document_fields(); },
     [](const Node& root, const Context& context, Report& report) -> DocumentBody {
       return read_endpoint_slice(root, context, report);
     }},
    {"Workload", kOwnVersions, [] { return document_fields(workload_fields()); },
     [](const Node& root, const Context& context, Report& report) -> DocumentBody {
       return read_workload(root["spec"], context, report);
     }},
    {"Settings", kOwnVersions, [] { return document_fields(settings_fields()); },
     [](const Node& root, const Context&, Report& report) -> DocumentBody {
       return read_settings(root["spec"], report);
     }},
}};

std::string kind_names() {
  std::string names;
  for (const Kind& kind : kKinds) {
    if (!names.empty()) names += kind.name == kKinds.back().name ? " and " : ", ";
    names += kind.name;
  }
  return names;
}

// The kind that `root` names, or an error that says which there are.
const Kind* find_kind(const Node& root, Report& report) {
  if (!root["kind"] || !root["apiVersion"]) {
    const std::string missing = root["kind"]         ? "apiVersion is"
                                : root["apiVersion"] ? "kind is"
                                                     : "apiVersion and kind are";
    report.error(root, missing + " missing; every document needs both");
    return nullptr;
  }
  for (const Node& field : {root["kind"], root["apiVersion"]}) {
    if (field.value()->kind == yaml::Value::Kind::scalar) continue;
    report.error(field, "text is expected");
    return nullptr;
  }
  const std::string name = root["kind"].text();
  const auto kind = std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& k) { return k.name == name; });
  if (kind == kKinds.end()) {
    std::vector<std::string_view> names;
    for (const Kind& known : kKinds) names.push_back(known.name);
    std::string message = quoted(name) + " is not a kind that Fairlead reads";
    if (const auto near = yaml::nearest_name(name, names); !near.empty()) {
      message += "; did you mean " + std::string(near) + "?";
    } else {
      message += "; it reads " + kind_names();
    }
    report.error(root["kind"], std::move(message), Reason::unsupported);
    return nullptr;
  }
  const std::string version = root["apiVersion"].text();
  if (std::find(kind->versions.begin(), kind->versions.end(), version) == kind->versions.end()) {
    std::string allowed;
    for (const std::string_view known : kind->versions) allowed += (allowed.empty() ? "" : ", ") + std::string(known);
    report.error(root["apiVersion"], quoted(version) + " is not a version of " + name + "; allowed: " + allowed,
                 Reason::unsupported);
    return nullptr;
  }
  return &*kind;
}

void check_metadata(const Node& metadata, Report& report) {
  const std::string name = metadata["name"].text();
  const bool is_name = !name.empty() && name.size() <= 253 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
  if (!is_name) {
    report.error(metadata["name"], quoted(name) + " is not a name: lower-case letters, digits, - and . are allowed");
  }
  if (const Node name_space = metadata["namespace"]; name_space && !is_dns_label(name_space.text())) {
    report.error(name_space, quoted(name_space.text()) + " is not a namespace");
  }
  check_labels(metadata["labels"], report);
}

bool applies_to_mesh(const VirtualService& service) {
  const auto is_mesh = [](const std::string& gateway) { return gateway == "mesh"; };
  return std::any_of(service.gateways.begin(), service.gateways.end(), is_mesh);
}

}  // namespace

DocumentId identify(const yaml::Value& value) {
  const Node root(value);
  return {root["kind"].text(), root["metadata"]["namespace"].text("default"), root["metadata"]["name"].text()};
}

ReadDocument read_list(const yaml::Value& value, const std::string& file) {
  static constexpr Field kFields[] = {{.name = "apiVersion", .is_required = true},
                                      {.name = "kind", .is_required = true},
                                      {.name = "metadata", .type = Type::any},
                                      {.name = "items", .type = Type::any, .is_required = true}};
  const Node root(value);
  Report report(file, "");
  check(root, kFields, report);
  if (const Node items = root["items"]; items && items.value()->kind != yaml::Value::Kind::sequence) {
    report.error(items, "a list of documents is expected");
  }
  ReadDocument result;
  result.mark = value.mark;
  result.findings = report.take();
  return result;
}

ReadDocument read_document(const yaml::Value& value, const std::string& file, const std::string& cluster_domain) {
  ReadDocument result;
  result.mark = value.mark;
  const Node root(value);
  Report report(file, "");
  const auto done = [&]() -> ReadDocument& {
    result.findings = report.take();
    if (report.has_errors()) result.body.reset();
    const auto is_unenforced = [](const Finding& finding) { return finding.code == kNotEnforced; };
    result.is_partial = std::any_of(result.findings.begin(), result.findings.end(), is_unenforced);
    return result;
  };
  if (value.kind != yaml::Value::Kind::mapping) {
    report.error(root, "a document must be a mapping with apiVersion, kind, metadata and spec");
    return done();
  }
  result.id = identify(value);
  if (!result.id.name.empty()) report.set_document(result.id.to_string());
  const Kind* kind = find_kind(root, report);
  if (kind == nullptr) return done();
  check(root, kind->fields(), report);
  if (report.has_errors()) return done();
  Context context;
  context.file = file;
  context.cluster_domain = cluster_domain;
  context.metadata = read_metadata(root, file);
  check_metadata(root["metadata"], report);
  result.body = kind->read(root, context, report);
  if (const auto* service = std::get_if<VirtualService>(&*result.body)) {
    result.is_inactive = service->hosts.empty() || !applies_to_mesh(*service);
    if (service->hosts.empty()) {
      report.warn(kNotEnforced, root["spec"],
                  "has no hosts, which makes it a delegate; those are not enforced by this version of Fairlead: add "
                  "hosts");
    } else if (result.is_inactive) {
      report.warn(kNotEnforced, root["spec"]["gateways"],
                  "gateways are not enforced: add mesh for the clients of a node");
    }
  } else if (const auto* entry = std::get_if<ServiceEntry>(&*result.body)) {
    result.is_inactive = !entry->is_static;
  }
  return done();
}

}  // namespace config::istio
