#include "proxy/policy/route_match.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/unit/proxy/policy/request_fake.h"

namespace proxy::policy {
namespace {

using config::MatchKind;
using config::StringMatch;

StringMatch exact(std::string value) { return {.kind = MatchKind::exact, .value = std::move(value)}; }
StringMatch prefix(std::string value) { return {.kind = MatchKind::prefix, .value = std::move(value)}; }
StringMatch regex(std::string value) { return {.kind = MatchKind::regex, .value = std::move(value)}; }
StringMatch present() { return {.kind = MatchKind::present, .value = ""}; }
StringMatch any_case(StringMatch match) {
  match.ignore_case = true;
  return match;
}

config::Route route(std::string name, config::RouteMatch match = {}) {
  config::Route made;
  made.name = std::move(name);
  made.match = std::move(match);
  made.origin = "policies/x.yaml:3 VirtualService default/x http[0]";
  return made;
}

config::RouteMatch by_uri(StringMatch uri) {
  config::RouteMatch match;
  match.uri = std::move(uri);
  return match;
}
config::RouteMatch by_header(std::string name, StringMatch value, bool is_inverted = false) {
  config::RouteMatch match;
  match.headers.push_back({.name = std::move(name), .match = std::move(value), .is_inverted = is_inverted});
  return match;
}
config::RouteMatch by_query(std::string name, StringMatch value) {
  config::RouteMatch match;
  match.query.push_back({.name = std::move(name), .match = std::move(value)});
  return match;
}

// One virtual host for everything on port 80.
struct Rules {
  explicit Rules(std::vector<config::Route> routes) {
    config.ports.push_back(
        {.port = 80, .virtual_hosts = {{.name = "v", .domains = {"*"}, .routes = std::move(routes)}}});
    auto built = RouteTable::build(config);
    EXPECT_TRUE(built) << built.error().message;
    table = std::move(*built);
  }
  // The name of the matching route, "" when none matches.
  std::string operator()(const RequestView& request) const {
    const RouteTable::Host* host = table->find_host(80, request.authority());
    const config::Route* found = RouteTable::match(*host, request);
    return found == nullptr ? "" : found->name;
  }
  config::RouteTable config;
  std::unique_ptr<RouteTable> table;
};

// --- which virtual host ---------------------------------------------------------------------------------------------

struct Hosts {
  explicit Hosts(std::vector<std::vector<std::string>> domain_lists, std::uint16_t port = 3000) {
    config::PortRoutes routes{.port = port, .virtual_hosts = {}};
    for (auto& domains : domain_lists) {
      const std::string name = domains.front();
      routes.virtual_hosts.push_back({.name = name, .domains = std::move(domains), .routes = {route(name)}});
    }
    config.ports.push_back(std::move(routes));
    table = std::move(*RouteTable::build(config));
  }
  std::string operator()(std::string_view authority, std::uint16_t port = 3000) const {
    const RouteTable::Host* host = table->find_host(port, authority);
    return host == nullptr ? "" : RouteTable::match(*host, FakeRequest())->name;
  }
  config::RouteTable config;
  std::unique_ptr<RouteTable> table;
};

// What a running Envoy does with Istio's domains.
TEST(FindHost, IgnoresCaseAndPortOfHost) {
  const Hosts hosts(
      {{"greeter-service", "greeter-service.default", "greeter-service.default.svc.cluster.local", "127.77.0.9"}});
  for (const char* host :
       {"greeter-service", "GREETER-Service:99", "greeter-service:abc", "greeter-service:", "greeter-service.default",
        "greeter-service.default.svc.cluster.local:3000", "127.77.0.9", "127.77.0.9:3000", "127.77.0.9:1"}) {
    EXPECT_EQ(hosts(host), "greeter-service") << host;
  }
  for (const char* host : {"greeter-service.", "[::1]:3000", "::1", "greeter-service:3000:3000", ":3000", "a:b:c", "",
                           "x@greeter-service", "greeter-servic", "greeter-service2"}) {
    EXPECT_EQ(hosts(host), "") << host;
  }
}

TEST(FindHost, AnIpv6LiteralIsNotCutAtItsColons) {
  const Hosts hosts({{"[fd00::1]"}, {"fd00::2"}, {"fd00:"}});
  EXPECT_EQ(hosts("[fd00::1]"), "[fd00::1]");
  EXPECT_EQ(hosts("[FD00::1]:3000"), "[fd00::1]");
  EXPECT_EQ(hosts("[fd00::2]:80"), "fd00::2");
  EXPECT_EQ(hosts("fd00::1"), "");  // the last group would be a port
  EXPECT_EQ(hosts("[fd00::3]:80"), "");
}

TEST(FindHost, PrefersExactThenTheLongestWildcardThenTheStar) {
  const Hosts hosts({{"*"}, {"*.example"}, {"*.wild.example"}, {"a.wild.example"}, {"*.b.wild.example"}});
  struct Case {
    const char* host;
    const char* expected;
  };
  for (const auto& [host, expected] : {
           Case{"a.wild.example", "a.wild.example"},
           Case{"A.Wild.Example:80", "a.wild.example"},
           Case{"c.wild.example", "*.wild.example"},
           Case{"x.a.wild.example", "*.wild.example"},
           Case{"x.b.wild.example", "*.b.wild.example"},
           Case{"y.x.b.wild.example", "*.b.wild.example"},
           Case{"wild.example", "*.example"},
           Case{"xwild.example", "*.example"},
           Case{"example", "*"},
           Case{".example", "*"},
           Case{".wild.example", "*.example"},
           Case{"anything", "*"},
           Case{"a:b:c", "*"},
           Case{"", "*"},
       }) {
    EXPECT_EQ(hosts(host), expected) << host;
  }
}

TEST(FindHost, AWildcardMayEndInsideALabel) {
  const Hosts hosts({{"*-a.example"}, {"*b.example"}, {"*.example"}, {"*.deep.b.example"}});
  EXPECT_EQ(hosts("x-a.example"), "*-a.example");
  EXPECT_EQ(hosts("x.y-a.example:80"), "*-a.example");
  EXPECT_EQ(hosts("-a.example"), "*.example");
  EXPECT_EQ(hosts("xb.example"), "*b.example");
  EXPECT_EQ(hosts("x.b.example"), "*b.example");
  EXPECT_EQ(hosts("x.deep.b.example"), "*.deep.b.example");
  EXPECT_EQ(hosts("b.example"), "*.example");
  EXPECT_EQ(hosts("example"), "");
}

TEST(FindHost, AWildcardNeedsAtLeastOneCharacterForItsStar) {
  const Hosts hosts({{"*.wild.example"}});
  EXPECT_EQ(hosts("a.wild.example"), "*.wild.example");
  EXPECT_EQ(hosts("A.B.wild.Example:80"), "*.wild.example");
  EXPECT_EQ(hosts("wild.example"), "");
  EXPECT_EQ(hosts(".wild.example"), "");
  EXPECT_EQ(hosts("xwild.example"), "");
}

TEST(FindHost, AnEndlessHostIsMatchedByItsEndOnly) {
  const Hosts hosts({{"*.wild.example"}, {std::string(300, 'a')}});
  EXPECT_EQ(hosts(std::string(60'000, 'a') + ".wild.example:80"), "*.wild.example");
  EXPECT_EQ(hosts(std::string(60'000, 'a')), "");
  EXPECT_EQ(hosts(std::string(60'000, '.')), "");
  std::string labels;
  for (int i = 0; i < 20'000; ++i) labels += "a.";
  EXPECT_EQ(hosts(labels + "wild.example"), "*.wild.example");
}

TEST(FindHost, EachPortHasItsOwnHosts) {
  config::RouteTable config;
  for (const std::uint16_t port : {80, 81}) {
    const std::string name = std::to_string(port);
    config.ports.push_back(
        {.port = port, .virtual_hosts = {{.name = name, .domains = {"a"}, .routes = {route(name)}}}});
  }
  const auto table = std::move(*RouteTable::build(config));
  EXPECT_EQ(RouteTable::match(*table->find_host(80, "a"), FakeRequest())->name, "80");
  EXPECT_EQ(RouteTable::match(*table->find_host(81, "a"), FakeRequest())->name, "81");
  EXPECT_EQ(table->find_host(82, "a"), nullptr);
}

TEST(FindHost, OfTwoHostsWithOneDomainTheFirstHasIt) {
  const Hosts hosts({{"first", "shared"}, {"second", "shared"}});
  EXPECT_EQ(hosts("shared"), "first");
}

TEST(FindHost, TenThousandServicesAreFoundByEachOfTheirNames) {
  std::vector<std::vector<std::string>> domains;
  for (int i = 0; i < 10'000; ++i) {
    const std::string name = "service-" + std::to_string(i);
    domains.push_back({name + ".ns.svc.cluster.local", name + ".ns.svc", name + ".ns", name});
  }
  const Hosts hosts(domains);
  for (int i = 0; i < 10'000; i += 97) {
    for (const std::string& domain : domains[i]) EXPECT_EQ(hosts(domain + ":3000"), domains[i].front());
  }
  EXPECT_EQ(hosts("service-10000"), "");
}

TEST(RouteTable, KeepsThePolicyForUnknownHosts) {
  config::RouteTable config;
  config.unknown_hosts = config::UnknownHostPolicy::registry_only;
  EXPECT_EQ((*RouteTable::build(config))->unknown_hosts(), config::UnknownHostPolicy::registry_only);
}

TEST(RouteTable, ABadRegularExpressionIsRefusedWithItsPlaceAndReason) {
  for (const config::RouteMatch& match :
       {by_uri(regex("/a(")), by_header("x", regex("/a(")), by_query("q", regex("/a("))}) {
    config::RouteTable config;
    config.ports.push_back(
        {.port = 80, .virtual_hosts = {{.name = "v", .domains = {"*"}, .routes = {route("r", match)}}}});
    const auto built = RouteTable::build(config);
    ASSERT_FALSE(built);
    EXPECT_EQ(built.error().code, base::Errc::invalid);
    EXPECT_NE(built.error().message.find("policies/x.yaml:3"), std::string::npos) << built.error().message;
    EXPECT_NE(built.error().message.find("/a("), std::string::npos) << built.error().message;
    EXPECT_NE(built.error().message.find("missing )"), std::string::npos) << built.error().message;
  }
}

// --- which route ----------------------------------------------------------------------------------------------------

TEST(Match, TheFirstRouteThatMatchesWins) {
  const Rules rules({route("a", by_uri(prefix("/a"))), route("ab", by_uri(exact("/ab"))), route("rest")});
  EXPECT_EQ(rules(FakeRequest("/ab")), "a");
  EXPECT_EQ(rules(FakeRequest("/b")), "rest");
}

TEST(Match, WithoutAMatchingRouteThereIsNone) {
  const Rules rules({route("only", by_uri(exact("/only")))});
  EXPECT_EQ(rules(FakeRequest("/other")), "");
  EXPECT_EQ(Rules({})(FakeRequest("/")), "");
}

TEST(Match, UriLooksAtThePathWithoutTheQuery) {
  const Rules rules({route("prefix-q", by_uri(prefix("/x?"))), route("exact-q", by_uri(exact("/y?a=1"))),
                     route("exact", by_uri(exact("/z"))), route("regex", by_uri(regex("/r/[a-z]+"))),
                     route("regex-q", by_uri(regex("/s[?]a=1"))), route("regex-i", by_uri(regex("(?i)/CI"))),
                     route("middle", by_uri(regex("mid"))), route("slash", by_uri(exact("/sl/"))),
                     route("v2", by_uri(prefix("/v2")))});
  struct Case {
    const char* path;
    const char* expected;
  };
  for (const auto& [path, expected] : {
           Case{"/x?a=1", ""},    Case{"/y?a=1", ""}, Case{"/y", ""},          Case{"/z", "exact"},
           Case{"/z?q", "exact"}, Case{"/z/", ""},    Case{"/r/abc", "regex"}, Case{"/r/abc?x=1", "regex"},
           Case{"/r/abc1", ""},   Case{"/s?a=1", ""}, Case{"/ci", "regex-i"},  Case{"/CI", "regex-i"},
           Case{"/amidb", ""},    Case{"/sl", ""},    Case{"/sl/", "slash"},   Case{"//z", ""},
           Case{"/z%3Fq", ""},    Case{"/v2", "v2"},  Case{"/v2/x", "v2"},     Case{"/v2example", "v2"},
           Case{"/V2", ""},
       }) {
    EXPECT_EQ(rules(FakeRequest(path)), expected) << path;
  }
}

TEST(Match, IgnoreUriCaseWorksForExactAndPrefixButNotForRegex) {
  const Rules rules({route("exact", by_uri(any_case(exact("/ExAct")))),
                     route("prefix", by_uri(any_case(prefix("/PreFix")))),
                     route("regex", by_uri(any_case(regex("/Rx.*"))))});
  for (const char* path : {"/exact", "/EXACT", "/ExAct?q"}) EXPECT_EQ(rules(FakeRequest(path)), "exact") << path;
  for (const char* path : {"/prefix", "/prefix/x", "/PREFIXx"}) EXPECT_EQ(rules(FakeRequest(path)), "prefix") << path;
  EXPECT_EQ(rules(FakeRequest("/Rxa")), "regex");
  for (const char* path : {"/exact/", "/exac", "/pre", "/rxa"}) EXPECT_EQ(rules(FakeRequest(path)), "") << path;
}

TEST(Match, MethodIsCaseSensitive) {
  std::vector<config::Route> routes;
  for (const auto& [name, match] : {std::pair{"regex", regex("PU.*")}, std::pair{"exact", exact("DELETE")},
                                    std::pair{"prefix", prefix("PA")}, std::pair{"lower", exact("options")}}) {
    config::RouteMatch conditions;
    conditions.method = match;
    routes.push_back(route(name, conditions));
  }
  const Rules rules(std::move(routes));
  for (const auto& [method, expected] :
       {std::pair{"GET", ""}, std::pair{"PUT", "regex"}, std::pair{"DELETE", "exact"}, std::pair{"PATCH", "prefix"},
        std::pair{"OPTIONS", ""}, std::pair{"POST", ""}}) {
    FakeRequest request;
    request.verb = method;
    EXPECT_EQ(rules(request), expected) << method;
  }
}

TEST(Match, AuthoritySeesThePortAndTheCase) {
  std::vector<config::Route> routes;
  for (const auto& [name, match] :
       {std::pair{"exact", exact("greeter-service")}, std::pair{"port", exact("greeter-service:3000")},
        std::pair{"regex", regex("greeter-service[.]default.*")}, std::pair{"prefix", prefix("greeter-service:4")},
        std::pair{"upper", prefix("GREETER")}}) {
    config::RouteMatch conditions;
    conditions.authority = match;
    routes.push_back(route(name, conditions));
  }
  const Rules rules(std::move(routes));
  for (const auto& [host, expected] :
       {std::pair{"greeter-service", "exact"}, std::pair{"greeter-service:3000", "port"},
        std::pair{"greeter-service.default.svc", "regex"}, std::pair{"greeter-service:4000", "prefix"},
        std::pair{"GREETER-SERVICE", "upper"}, std::pair{"greeter-service:5", ""}}) {
    FakeRequest request;
    request.host = host;
    EXPECT_EQ(rules(request), expected) << host;
  }
}

TEST(Match, SchemeIsWhatTheRequestSays) {
  std::vector<config::Route> routes;
  for (const auto& [name, match] :
       {std::pair{"https", exact("https")}, std::pair{"upper", regex("HT.*")}, std::pair{"http", prefix("ht")}}) {
    config::RouteMatch conditions;
    conditions.scheme = match;
    routes.push_back(route(name, conditions));
  }
  const Rules rules(std::move(routes));
  EXPECT_EQ(rules(FakeRequest("/")), "http");
  FakeRequest request("/");
  request.protocol = "https";
  EXPECT_EQ(rules(request), "https");
}

TEST(Match, HeadersByPresenceValuePrefixAndRegex) {
  const Rules rules({route("present", by_header("x-p", present())), route("regex-all", by_header("x-r", regex(".*"))),
                     route("empty", by_header("x-e", exact(""))), route("prefix", by_header("x-pre", prefix("ab"))),
                     route("regex", by_header("x-n", regex("[0-9]+")))});
  struct Case {
    const char* name;
    const char* value;
    const char* expected;
  };
  EXPECT_EQ(rules(FakeRequest("/")), "");
  for (const auto& [name, value, expected] : {
           Case{"x-p", "", "present"},
           Case{"x-p", "1", "present"},
           Case{"x-r", "", "regex-all"},
           Case{"x-r", "1", "regex-all"},
           Case{"x-e", "", "empty"},
           Case{"x-e", "1", ""},
           Case{"x-pre", "abc", "prefix"},
           Case{"x-pre", "AB", ""},
           Case{"x-n", "12", "regex"},
           Case{"x-n", "12a", ""},
       }) {
    EXPECT_EQ(rules(FakeRequest("/", {{name, value}})), expected) << name << ": " << value;
  }
}

// Recorded on a running Envoy: a line of its own meets the condition, the joined value does not; `accept` is joined.
TEST(Match, OneOfSeveralLinesMeetsAHeaderCondition) {
  const Rules rules({route("joined", by_header("x-d", exact("a,b"))), route("single", by_header("x-d", exact("b"))),
                     route("prefix", by_header("x-d", prefix("c"))), route("regex", by_header("x-d", regex("z,.*"))),
                     route("accept-joined", by_header("accept", exact("a,b"))),
                     route("accept-single", by_header("accept", exact("b")))});
  using Lines = std::vector<std::pair<std::string, std::string>>;
  for (const auto& [lines, expected] : {
           std::pair{Lines{{"x-d", "a"}, {"x-d", "b"}}, "single"},
           std::pair{Lines{{"x-d", "b"}, {"x-d", "a"}}, "single"},
           std::pair{Lines{{"x-d", "a,b"}}, "joined"},
           std::pair{Lines{{"x-d", "q"}, {"x-d", "w"}, {"x-d", "cc"}}, "prefix"},
           std::pair{Lines{{"x-d", "z"}, {"x-d", "y"}}, ""},
           std::pair{Lines{{"x-d", "z,y"}}, "regex"},
           std::pair{Lines{{"accept", "a"}, {"accept", "b"}}, "accept-joined"},
       }) {
    EXPECT_EQ(rules(FakeRequest("/", lines)), expected) << lines.size() << " lines, first " << lines.front().second;
  }
}

TEST(Match, WithoutHeadersTakesAMissingHeaderForAnEmptyOne) {
  const Rules rules(
      {route("exact-empty", by_header("x-a", exact(""), true)), route("b-prefix", by_header("x-b", prefix("v"), true)),
       route("c-regex", by_header("x-c", regex("v*"), true)), route("d-present", by_header("x-d", present(), true)),
       route("e-regex", by_header("x-e", regex(".+"), true))});
  using Lines = std::vector<std::pair<std::string, std::string>>;
  for (const auto& [lines, expected] : {
           std::pair{Lines{{"x-a", "1"}}, "exact-empty"},
           std::pair{Lines{}, "b-prefix"},
           std::pair{Lines{{"x-a", ""}}, "b-prefix"},
           std::pair{Lines{{"x-b", "v1"}}, "d-present"},
           std::pair{Lines{{"x-b", "v1"}, {"x-c", "vv"}}, "d-present"},
           std::pair{Lines{{"x-b", "v"}, {"x-c", "x"}}, "c-regex"},
           std::pair{Lines{{"x-b", "v"}, {"x-c", ""}, {"x-d", ""}}, "e-regex"},
           std::pair{Lines{{"x-b", "v"}, {"x-d", "1"}}, "e-regex"},
           std::pair{Lines{{"x-b", "v"}, {"x-d", "1"}, {"x-e", ""}}, "e-regex"},
           std::pair{Lines{{"x-b", "v"}, {"x-d", "1"}, {"x-e", "1"}}, ""},
       }) {
    EXPECT_EQ(rules(FakeRequest("/", lines)), expected) << lines.size() << " lines";
  }
}

TEST(Match, WithoutHeadersIsRefusedByAnyLine) {
  const Rules rules(
      {route("no-a", by_header("x-d", exact("a"), true)), route("no-12", by_header("x-q", exact("1,2"), true))});
  EXPECT_EQ(rules(FakeRequest("/", {{"x-d", "a"}, {"x-d", "b"}})), "no-12");
  EXPECT_EQ(rules(FakeRequest("/", {{"x-d", "b"}, {"x-d", "a"}})), "no-12");
  EXPECT_EQ(rules(FakeRequest("/", {{"x-d", "b"}, {"x-d", "c"}})), "no-a");
  EXPECT_EQ(rules(FakeRequest("/", {{"x-d", "a"}, {"x-q", "1"}, {"x-q", "2"}})), "no-12");
  EXPECT_EQ(rules(FakeRequest("/", {{"x-d", "a"}, {"x-q", "1,2"}})), "");
}

TEST(Match, QueryParametersAreRawFirstWinsAndCaseSensitive) {
  config::RouteMatch two = by_query("a", exact("1"));
  two.query.push_back({.name = "b", .match = exact("2")});
  const Rules rules({route("k", by_query("k", exact("1"))), route("r", by_query("r", regex("[0-9]+"))),
                     route("p", by_query("p", exact(""))), route("pre", by_query("pre", prefix("ab"))),
                     route("u", by_query("u", present())), route("all", by_query("all", regex(".*"))),
                     route("q", by_query("q", exact("a=b"))), route("two", two),
                     route("pct", by_query("%6b", exact("1"))), route("f", by_query("f", exact("1"))),
                     route("plus", by_query("s", exact("a b")))});
  for (const auto& [query, expected] : {
           std::pair{"k=1", "k"},       std::pair{"k=2", ""},      std::pair{"a=0&k=1", "k"},
           std::pair{"r=77", "r"},      std::pair{"r=7a", ""},     std::pair{"p", "p"},
           std::pair{"p=", "p"},        std::pair{"p=x", ""},      std::pair{"k=%31", ""},
           std::pair{"k=2&k=1", ""},    std::pair{"k=1&k=2", "k"}, std::pair{"K=1", ""},
           std::pair{"pre=abc", "pre"}, std::pair{"pre=a", ""},    std::pair{"u", "u"},
           std::pair{"u=", "u"},        std::pair{"u=5", "u"},     std::pair{"all", "all"},
           std::pair{"all=1", "all"},   std::pair{"q=a=b", "q"},   std::pair{"a=1&b=2", "two"},
           std::pair{"b=2&a=1", "two"}, std::pair{"a=1", ""},      std::pair{"%6b=1", "pct"},
           std::pair{"f=1", "f"},       std::pair{"x=1;f=1", ""},  std::pair{"?f=1", ""},
           std::pair{"&&f=1", "f"},     std::pair{"f=1&", "f"},    std::pair{"s=a+b", ""},
           std::pair{"s=a%20b", ""},    std::pair{"r=1&r=a", "r"}, std::pair{"r=a&r=1", ""},
           std::pair{"", ""},           std::pair{"=1", ""},       std::pair{"&", ""},
       }) {
    EXPECT_EQ(rules(FakeRequest(std::string("/?") + query)), expected) << query;
  }
  EXPECT_EQ(rules(FakeRequest("/")), "");
  EXPECT_EQ(rules(FakeRequest("/k=1")), "");
}

TEST(Match, ConditionsOfOneRouteMustAllBeMet) {
  config::RouteMatch match = by_uri(prefix("/a"));
  match.method = exact("PUT");
  match.authority = prefix("greeter");
  match.query.push_back({.name = "q", .match = present()});
  match.headers.push_back({.name = "x", .match = exact("1")});
  match.headers.push_back({.name = "y", .match = present(), .is_inverted = true});
  const Rules rules({route("all", match)});
  const auto good = [] {
    FakeRequest request("/a?q=1", {{"x", "1"}});
    request.verb = "PUT";
    return request;
  };
  EXPECT_EQ(rules(good()), "all");
  FakeRequest request = good();
  request.target = "/b?q=1";
  EXPECT_EQ(rules(request), "");
  request = good();
  request.target = "/a";
  EXPECT_EQ(rules(request), "");
  request = good();
  request.verb = "GET";
  EXPECT_EQ(rules(request), "");
  request = good();
  request.host = "other";
  EXPECT_EQ(rules(request), "");
  request = good();
  request.lines = {{"x", "2"}};
  EXPECT_EQ(rules(request), "");
  request = good();
  request.lines.emplace_back("y", "");
  EXPECT_EQ(rules(request), "");
}

// --- which destination ----------------------------------------------------------------------------------------------

config::Route split(std::initializer_list<std::uint32_t> weights) {
  config::Route made = route("split");
  made.total_weight = 0;
  std::uint32_t backend = 0;
  for (const std::uint32_t weight : weights) {
    made.destinations.push_back({.backend = backend++, .weight = weight});
    made.total_weight += weight;
  }
  return made;
}

TEST(PickDestination, ASingleOneIsTakenWhateverItsWeight) {
  base::Random random(1);
  const config::Route only = split({7});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(pick_destination(only, random).backend, 0U);
}

TEST(PickDestination, SharesFollowWeightsThatNeedNotSumToAHundred) {
  base::Random random(1);
  const config::Route routes = split({1, 3, 0, 4});
  std::map<std::uint32_t, int> counts;
  for (int i = 0; i < 80'000; ++i) ++counts[pick_destination(routes, random).backend];
  EXPECT_NEAR(counts[0], 10'000, 500);
  EXPECT_NEAR(counts[1], 30'000, 700);
  EXPECT_EQ(counts[2], 0);
  EXPECT_NEAR(counts[3], 40'000, 700);
}

}  // namespace
}  // namespace proxy::policy
