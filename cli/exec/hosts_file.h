#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cli::exec {

// A service as a name must lead to it.
struct NamedService {
  std::string host;        // greeter-service.default.svc.cluster.local
  std::string name;        // greeter-service
  std::string name_space;  // default
  std::vector<std::string> addresses;
};

// All names by which a program of `name_space` may call the service, longest last: as DNS search lists in a pod would
// have it, the bare name only within the namespace. None for what cannot stand in /etc/hosts (wildcards).
std::vector<std::string> names_of(const NamedService& service, std::string_view name_space);

// An /etc/hosts in which the services come first (the first line with a name wins), then what was there.
std::string hosts_file(std::string_view existing, const std::vector<NamedService>& services,
                       std::string_view name_space);

}  // namespace cli::exec
