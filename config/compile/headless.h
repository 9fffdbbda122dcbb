#pragma once

#include <set>
#include <string>

#include "config/documents.h"

namespace config {

// Hosts of the headless services that a VirtualService or DestinationRule of theirs, seen by some workload of
// `documents`, is for. Connections to their endpoints are to be redirected; to those of the others nothing is to be
// done. A wildcard names nobody: for `*.local` every node would have to follow every headless service.
std::set<std::string, std::less<>> headless_services_with_policies(const Documents& documents);

}  // namespace config
