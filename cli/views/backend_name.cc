#include "cli/views/backend_name.h"

#include <vector>

namespace cli {

BackendName split_backend_name(std::string_view name) {
  std::vector<std::string> parts;
  std::string_view rest = name;
  for (auto bar = rest.find('|'); bar != rest.npos; bar = rest.find('|')) {
    parts.emplace_back(rest.substr(0, bar));
    rest.remove_prefix(bar + 1);
  }
  parts.emplace_back(rest);
  if (parts.size() != 4) return {std::string(name), "", ""};
  return {parts[3], parts[1], parts[2]};
}

}  // namespace cli
