#include "proxy/policy/route_match.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>

namespace proxy::policy {

namespace {

using config::MatchKind;

// RFC 1035 allows 253; what is longer can only meet a wildcard, by its end.
constexpr std::size_t kMaxDomainBytes = 255;

char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() &&
         std::equal(text.begin(), text.end(), lower.begin(), [](char a, char b) { return to_lower(a) == b; });
}

// The same pattern is compiled once per table; RE2 objects are safe to share between threads.
class RegexSet {
 public:
  base::Result<const re2::RE2*> compile(const std::string& pattern) {
    auto& regex = regexes_[pattern];
    if (regex == nullptr) regex = std::make_unique<re2::RE2>(pattern, re2::RE2::Quiet);
    if (!regex->ok()) return base::fail(base::Errc::invalid, "\"" + pattern + "\": " + regex->error());
    return regex.get();
  }

 private:
  std::unordered_map<std::string, std::unique_ptr<re2::RE2>> regexes_;
};

// A config::StringMatch that is ready to be asked.
struct StringMatcher {
  MatchKind kind = MatchKind::present;
  bool ignore_case = false;
  std::string value;  // lower case when `ignore_case`
  const re2::RE2* regex = nullptr;

  static base::Result<StringMatcher> build(const config::StringMatch& match, RegexSet& regexes) {
    StringMatcher matcher{.kind = match.kind, .ignore_case = match.ignore_case, .value = match.value};
    if (match.kind == MatchKind::regex) {
      auto regex = regexes.compile(match.value);
      if (!regex) return tl::unexpected(regex.error());
      matcher.regex = *regex;
    }
    if (matcher.ignore_case) std::ranges::transform(matcher.value, matcher.value.begin(), to_lower);
    return matcher;
  }

  [[nodiscard]] bool matches(std::string_view text) const {
    switch (kind) {
      case MatchKind::exact:
        return ignore_case ? equals_ignoring_case(text, value) : text == value;
      case MatchKind::prefix:
        if (!ignore_case) return text.starts_with(value);
        return text.size() >= value.size() && equals_ignoring_case(text.substr(0, value.size()), value);
      case MatchKind::regex:
        return regex->Match({text.data(), text.size()}, 0, text.size(), re2::RE2::ANCHOR_BOTH, nullptr, 0);
      case MatchKind::present:
        return true;
    }
    return false;
  }
};

struct NamedMatcher {
  std::string_view name;
  StringMatcher matcher;
  bool is_inverted = false;

  // `lines`: what RequestView::header() gives, lines of one name separated by '\n'.
  [[nodiscard]] bool any_line_matches(std::string_view lines) const {
    for (;;) {
      const std::size_t end = lines.find('\n');
      if (end == std::string_view::npos) return matcher.matches(lines);
      if (matcher.matches(lines.substr(0, end))) return true;
      lines.remove_prefix(end + 1);
    }
  }

  [[nodiscard]] bool meets_header(const RequestView& request) const {
    std::string_view lines;
    if (request.header(name, lines)) return any_line_matches(lines) != is_inverted;
    if (!is_inverted) return false;
    // withoutHeaders: a missing header is an empty one, unless the condition is about its presence.
    return matcher.kind == MatchKind::present || !matcher.matches("");
  }

  // The first parameter of that name counts; neither names nor values are decoded.
  [[nodiscard]] bool meets_query(std::string_view query) const {
    while (!query.empty()) {
      const std::size_t end = std::min(query.find('&'), query.size());
      const std::string_view parameter = query.substr(0, end);
      const std::size_t equals = std::min(parameter.find('='), parameter.size());
      if (parameter.substr(0, equals) == name) {
        return matcher.matches(parameter.substr(std::min(equals + 1, parameter.size())));
      }
      query.remove_prefix(std::min(end + 1, query.size()));
    }
    return false;
  }
};

struct Target {
  std::string_view path;   // without the query
  std::string_view query;  // without '?'

  explicit Target(std::string_view full) {
    const std::size_t mark = full.find('?');
    path = full.substr(0, mark);
    if (mark != std::string_view::npos) query = full.substr(mark + 1);
  }
};

// A route's conditions beside its uri.
struct Conditions {
  std::optional<StringMatcher> method;
  std::optional<StringMatcher> authority;
  std::optional<StringMatcher> scheme;
  std::vector<NamedMatcher> query;
  std::vector<NamedMatcher> headers;

  static base::Result<Conditions> build(const config::RouteMatch& match, RegexSet& regexes) {
    Conditions conditions;
    for (const auto& [from, to] :
         {std::pair{&match.method, &conditions.method}, std::pair{&match.authority, &conditions.authority},
          std::pair{&match.scheme, &conditions.scheme}}) {
      if (!*from) continue;
      auto matcher = StringMatcher::build(**from, regexes);
      if (!matcher) return tl::unexpected(matcher.error());
      *to = std::move(*matcher);
    }
    for (const config::QueryMatch& query : match.query) {
      auto matcher = StringMatcher::build(query.match, regexes);
      if (!matcher) return tl::unexpected(matcher.error());
      conditions.query.push_back({.name = query.name, .matcher = std::move(*matcher)});
    }
    for (const config::HeaderMatch& header : match.headers) {
      auto matcher = StringMatcher::build(header.match, regexes);
      if (!matcher) return tl::unexpected(matcher.error());
      conditions.headers.push_back(
          {.name = header.name, .matcher = std::move(*matcher), .is_inverted = header.is_inverted});
    }
    return conditions;
  }

  [[nodiscard]] bool are_empty() const { return !method && !authority && !scheme && query.empty() && headers.empty(); }

  // Cheapest first.
  [[nodiscard]] bool are_met(const RequestView& request, const Target& target) const {
    if (method && !method->matches(request.method())) return false;
    if (authority && !authority->matches(request.authority())) return false;
    if (scheme && !scheme->matches(request.scheme())) return false;
    return std::ranges::all_of(query, [&](const NamedMatcher& each) { return each.meets_query(target.query); }) &&
           std::ranges::all_of(headers, [&](const NamedMatcher& each) { return each.meets_header(request); });
  }
};

constexpr std::uint32_t kNoConditions = 0xffffffff;

// One route as the scan sees it: small, because a table may have thousands and most fail on their uri.
struct Rule {
  StringMatcher uri{};
  std::uint32_t conditions = kNoConditions;  // index
  const config::Route* route = nullptr;
};

// "[::1]" and "::1" are the same host; Host always has the brackets.
std::string_view without_brackets(std::string_view host) {
  return host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
}

// Whatever follows the last colon is the port, digits or not, unless the colon is part of an IPv6 literal.
std::string_view without_port(std::string_view host) {
  if (host.find(':') == std::string_view::npos) return host;  // most have none, and this way is the faster one
  const std::size_t colon = host.rfind(':');
  const std::size_t bracket = host.rfind(']');
  return bracket == std::string_view::npos || bracket < colon ? host.substr(0, colon) : host;
}

struct StringViewHash {
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

}  // namespace

struct RouteTable::Host {
  std::vector<Rule> rules;
  std::vector<Conditions> conditions;

  base::Result<> add(const config::Route& route, RegexSet& regexes) {
    Rule rule{.route = &route};
    if (route.match.uri) {
      auto uri = StringMatcher::build(*route.match.uri, regexes);
      if (!uri) return tl::unexpected(uri.error());
      rule.uri = std::move(*uri);
    }
    auto more = Conditions::build(route.match, regexes);
    if (!more) return tl::unexpected(more.error());
    if (!more->are_empty()) {
      rule.conditions = static_cast<std::uint32_t>(conditions.size());
      conditions.push_back(std::move(*more));
    }
    rules.push_back(std::move(rule));
    return {};
  }
};

struct RouteTable::Impl {
  // Keys are views into the configuration.
  using Domains = boost::unordered_flat_map<std::string_view, const Host*, StringViewHash>;

  struct Port {
    Domains exact;
    Domains suffixes;                         // of "*.a.b": ".a.b"
    std::vector<std::size_t> suffix_lengths;  // those that occur, the longest first
    bool has_other_suffixes = false;          // such as "-a.b" of "*-a.b"
    const Host* any = nullptr;

    void add(std::string_view domain, const Host& host) {
      if (domain == "*") {
        if (any == nullptr) any = &host;
      } else if (domain.starts_with('*')) {
        const std::string_view suffix = domain.substr(1);
        suffixes.emplace(suffix, &host);
        has_other_suffixes |= !suffix.starts_with('.');
        const auto place = std::ranges::lower_bound(suffix_lengths, suffix.size(), std::greater{});
        if (place == suffix_lengths.end() || *place != suffix.size()) suffix_lengths.insert(place, suffix.size());
      } else {
        exact.emplace(without_brackets(domain), &host);
      }
    }
  };

  const config::RouteTable* table = nullptr;
  RegexSet regexes;
  std::vector<Host> hosts;
  boost::unordered_flat_map<std::uint16_t, Port> ports;
};

RouteTable::RouteTable() : impl_(std::make_unique<Impl>()) {}
RouteTable::~RouteTable() = default;

base::Result<std::unique_ptr<RouteTable>> RouteTable::build(const config::RouteTable& table) {
  std::unique_ptr<RouteTable> built(new RouteTable);
  Impl& impl = *built->impl_;
  impl.table = &table;
  std::size_t host_count = 0;
  for (const config::PortRoutes& port : table.ports) host_count += port.virtual_hosts.size();
  impl.hosts.reserve(host_count);  // the maps keep pointers

  for (const config::PortRoutes& port_routes : table.ports) {
    Impl::Port& port = impl.ports[port_routes.port];
    for (const config::VirtualHost& virtual_host : port_routes.virtual_hosts) {
      Host& host = impl.hosts.emplace_back();
      host.rules.reserve(virtual_host.routes.size());
      for (const config::Route& route : virtual_host.routes) {
        if (auto added = host.add(route, impl.regexes); !added) {
          return base::fail(base::Errc::invalid, route.origin + ": regular expression " + added.error().message);
        }
      }
      for (const std::string& domain : virtual_host.domains) port.add(domain, host);
    }
  }
  return built;
}

const RouteTable::Host* RouteTable::find_host(std::uint16_t port_number, std::string_view authority) const {
  const auto found = impl_->ports.find(port_number);
  if (found == impl_->ports.end()) return nullptr;
  const Impl::Port& port = found->second;

  const std::string_view named = without_port(authority);
  const std::string_view bare = without_brackets(named);
  const bool is_truncated = bare.size() > kMaxDomainBytes;
  std::array<char, kMaxDomainBytes> buffer;
  const std::string_view kept = is_truncated ? bare.substr(bare.size() - kMaxDomainBytes) : bare;
  std::ranges::transform(kept, buffer.begin(), to_lower);
  const std::string_view host(buffer.data(), kept.size());

  // A colon outside of brackets belongs to no host name.
  const bool may_be_exact = !is_truncated && (bare.size() != named.size() || host.find(':') == std::string_view::npos);
  if (may_be_exact) {
    if (const auto exact = port.exact.find(host); exact != port.exact.end()) return exact->second;
  }
  // The longest suffix first; "*" stands for at least one character.
  if (port.has_other_suffixes) {
    for (const std::size_t size : port.suffix_lengths) {
      if (size >= bare.size() || size > host.size()) continue;
      if (const auto wild = port.suffixes.find(host.substr(host.size() - size)); wild != port.suffixes.end()) {
        return wild->second;
      }
    }
  } else if (!port.suffixes.empty()) {
    for (std::size_t dot = host.find('.', is_truncated ? 0 : 1); dot != std::string_view::npos;
         dot = host.find('.', dot + 1)) {
      const std::string_view suffix = host.substr(dot);
      if (suffix.size() > port.suffix_lengths.front()) continue;
      if (const auto wild = port.suffixes.find(suffix); wild != port.suffixes.end()) return wild->second;
    }
  }
  return port.any;
}

const config::Route* RouteTable::match(const Host& host, const RequestView& request) {
  const Target target(request.path());
  for (const Rule& rule : host.rules) {
    if (!rule.uri.matches(target.path)) continue;
    if (rule.conditions == kNoConditions || host.conditions[rule.conditions].are_met(request, target)) {
      return rule.route;
    }
  }
  return nullptr;
}

const config::Route* RouteTable::last_route(const Host& host) {
  return host.rules.empty() ? nullptr : host.rules.back().route;
}

config::UnknownHostPolicy RouteTable::unknown_hosts() const { return impl_->table->unknown_hosts; }

const config::Destination& pick_destination(const config::Route& route, base::Random& random) {
  if (route.destinations.size() == 1) return route.destinations.front();
  std::uint64_t ticket = random.below(route.total_weight);
  for (const config::Destination& destination : route.destinations) {
    if (ticket < destination.weight) return destination;
    ticket -= destination.weight;
  }
  return route.destinations.back();
}

}  // namespace proxy::policy
