#include "cli/exec/hosts_file.h"

#include <algorithm>

namespace cli::exec {
namespace {

bool is_host_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_';
  });
}

}  // namespace

std::vector<std::string> names_of(const NamedService& service, std::string_view name_space) {
  if (!is_host_name(service.host)) return {};
  const std::string with_namespace = service.name + "." + service.name_space;
  // Only a service of the cluster domain has short names; api.example.com has none.
  if (!service.host.starts_with(with_namespace + ".svc.")) return {service.host};
  std::vector<std::string> names;
  if (service.name_space == name_space) names.push_back(service.name);
  names.push_back(with_namespace);
  names.push_back(with_namespace + ".svc");
  names.push_back(service.host);
  return names;
}

std::string hosts_file(std::string_view existing, const std::vector<NamedService>& services,
                       std::string_view name_space) {
  std::string text;
  for (const auto& service : services) {
    const auto names = names_of(service, name_space);
    if (names.empty()) continue;
    for (const auto& address : service.addresses) {
      text += address;
      for (const auto& name : names) text += " " + name;
      text += "\n";
    }
  }
  return text + std::string(existing);
}

}  // namespace cli::exec
