#pragma once

#include <functional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace config {

inline bool is_wildcard(std::string_view host) { return host.starts_with('*'); }

// Whether `pattern` ("*.example.com") covers `host`, which may be a pattern itself.
inline bool covers_host(std::string_view pattern, std::string_view host) {
  if (!is_wildcard(pattern)) return pattern == host;
  const std::string_view suffix = pattern.substr(1);
  return host.size() >= (is_wildcard(host) ? pattern.size() : suffix.size()) && host.ends_with(suffix);
}

// Values by the hosts they are for. What covers a host is found without looking at all the others: a cluster has
// thousands, and somebody asks for each of them.
template <typename T>
class HostPatterns {
 public:
  // `pattern` is not copied. Values of one pattern keep their order.
  void add(std::string_view pattern, T value) {
    if (is_wildcard(pattern)) {
      wildcards_[pattern.substr(1)].push_back(std::move(value));
      suffix_sizes_.insert(pattern.size() - 1);
    } else {
      exact_[pattern].push_back(std::move(value));
    }
  }

  // Calls `visit` with the values of each pattern that covers `host`, the most specific first, until it returns true.
  template <typename Visit>
  void for_each_covering(std::string_view host, Visit visit) const {
    if (const auto found = exact_.find(host); found != exact_.end() && visit(found->second)) return;
    const std::size_t longest = is_wildcard(host) ? host.size() - 1 : host.size();
    for (auto size = suffix_sizes_.lower_bound(longest); size != suffix_sizes_.end(); ++size) {
      const auto found = wildcards_.find(host.substr(host.size() - *size));
      if (found != wildcards_.end() && visit(found->second)) return;
    }
  }

 private:
  std::unordered_map<std::string_view, std::vector<T>> exact_;
  std::unordered_map<std::string_view, std::vector<T>> wildcards_;  // by what follows the asterisk
  std::set<std::size_t, std::greater<>> suffix_sizes_;
};

}  // namespace config
