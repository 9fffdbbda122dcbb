#include "config/documents.h"

#include <algorithm>

namespace config {
namespace {

bool glob_segment(std::string_view pattern, std::string_view text) {
  // Iterative, with one step back to the last *: linear for what people write, quadratic at worst.
  std::size_t p = 0, t = 0, star = pattern.npos, retry = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t]) && pattern[p] != '*') {
      ++p;
      ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = t;
    } else if (star != pattern.npos) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::vector<std::string_view> segments(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const auto slash = path.find('/');
    if (slash != 0) parts.push_back(path.substr(0, slash));
    path.remove_prefix(slash == path.npos ? path.size() : slash + 1);
  }
  return parts;
}

// Of `path`, how many leading segments the pattern can stand for; the fewest, 0 for none.
std::size_t match_path(std::span<const std::string_view> pattern, std::span<const std::string_view> path) {
  // reach[i]: the pattern so far can end after i segments.
  std::vector<bool> reach(path.size() + 1, false);
  reach[0] = true;
  for (const std::string_view part : pattern) {
    std::vector<bool> next(path.size() + 1, false);
    if (part == "**") {
      bool is_open = false;
      for (std::size_t i = 0; i <= path.size(); ++i) next[i] = is_open = is_open || reach[i];
    } else {
      for (std::size_t i = 0; i < path.size(); ++i) next[i + 1] = reach[i] && glob_segment(part, path[i]);
    }
    reach = std::move(next);
  }
  for (std::size_t i = 1; i <= path.size(); ++i) {
    if (reach[i]) return i;
  }
  return 0;
}

}  // namespace

base::SocketAddress Settings::default_admin_address() {
  base::SocketAddress address;
  address.ip.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
  address.port = 15020;
  return address;
}

std::string DocumentId::to_string() const {
  if (name.empty()) return kind;
  return kind + " " + name_space + "/" + name;
}

std::string describe(const Origin& origin, const DocumentId& document) {
  std::string text;
  if (origin.line != 0) text = origin.file + ":" + std::to_string(origin.line) + " ";
  text += document.to_string();
  const std::string_view path = origin.path;
  if (!path.empty()) text += " " + std::string(path.starts_with("spec.") ? path.substr(5) : path);
  return text;
}

std::optional<std::string_view> selected_cgroup(const WorkloadSelector& selector, std::string_view cgroup_path) {
  const auto path = segments(cgroup_path);
  std::size_t length = 0;
  if (selector.kind == WorkloadSelector::Kind::cgroup) {
    const auto pattern = segments(selector.pattern);
    length = match_path(pattern, path);
  } else {
    for (std::size_t i = 0; i < path.size() && length == 0; ++i) {
      if (glob_segment(selector.pattern, path[i])) length = i + 1;
    }
  }
  if (length == 0) return std::nullopt;
  const std::string_view last = path[length - 1];
  return cgroup_path.substr(0, static_cast<std::size_t>(last.data() - cgroup_path.data()) + last.size());
}

WorkloadDocument undeclared_workload(std::string_view name, std::string_view name_space) {
  WorkloadDocument workload;
  workload.metadata.name = name;
  workload.metadata.name_space = name_space;
  workload.metadata.labels.emplace("app", name);
  return workload;
}

void Documents::add(const std::shared_ptr<const DocumentBody>& body) {
  const auto visit = [&](const auto& document) {
    using T = std::decay_t<decltype(document)>;
    const auto share = [&] { return std::shared_ptr<const T>(body, &document); };
    if constexpr (std::is_same_v<T, VirtualService>) virtual_services.push_back(share());
    if constexpr (std::is_same_v<T, DestinationRule>) destination_rules.push_back(share());
    if constexpr (std::is_same_v<T, ServiceEntry>) service_entries.push_back(share());
    if constexpr (std::is_same_v<T, KubernetesService>) services.push_back(share());
    if constexpr (std::is_same_v<T, EndpointSlice>) endpoint_slices.push_back(share());
    if constexpr (std::is_same_v<T, WorkloadDocument>) workloads.push_back(document);
    if constexpr (std::is_same_v<T, Settings>) settings = document;
  };
  std::visit(visit, *body);
}

const WorkloadDocument* Documents::find_workload(std::string_view name, std::string_view name_space) const {
  const auto found = std::find_if(workloads.begin(), workloads.end(), [&](const WorkloadDocument& workload) {
    return workload.metadata.name == name && workload.metadata.name_space == name_space;
  });
  return found == workloads.end() ? nullptr : &*found;
}

}  // namespace config
