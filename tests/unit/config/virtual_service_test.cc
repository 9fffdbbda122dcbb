#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/config/support.h"

namespace config {
namespace {

using namespace std::chrono_literals;
using test::errors_of;
using test::load;
using test::virtual_service;
using test::warnings_of;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

// The lines before a rule are the same everywhere, so the message is what counts.
std::string error_of_rule(std::string_view rule) {
  const auto errors = errors_of(virtual_service(rule));
  return errors.empty() ? "" : errors.front();
}

const std::string kRoute = "  route: [{destination: {host: greeter-service}}]\n";

TEST(VirtualService, ReadsEveryFieldThatIsEnforced) {
  const Documents documents = load(virtual_service(R"(- name: all
  match:
  - name: first
    uri: {prefix: /V1}
    ignoreUriCase: true
    scheme: {exact: http}
    method: {exact: GET}
    authority: {prefix: greeter}
    headers: {X-User: {exact: jane}, x-any: {}, x-re: {regex: "a+"}}
    withoutHeaders: {x-beta: {regex: "*"}}
    queryParams: {page: {exact: "1"}, debug: {}}
    port: 3000
    sourceLabels: {app: client}
    sourceNamespace: default
    gateways: [mesh, edge]
  route:
  - destination: {host: greeter-service, subset: v1, port: {number: 3000}}
    weight: 90
  - destination: {host: other.example.com}
    weight: 10
  timeout: 1m30s
  retries: {attempts: 3, perTryTimeout: 250ms, retryOn: "5xx,503,connect-failure", backoff: 10ms,
            retryIgnorePreviousHosts: false}
  fault:
    delay: {fixedDelay: 2s, percentage: {value: 0.5}}
    abort: {httpStatus: 418, percentage: {value: 100}}
- directResponse: {status: 503, body: {bytes: aGVsbG8=}}
)"));
  ASSERT_THAT(documents.virtual_services, SizeIs(1));
  const VirtualService& service = documents.virtual_services[0];
  EXPECT_THAT(service.hosts, ElementsAre("greeter-service.default.svc.cluster.local"));
  EXPECT_THAT(service.gateways, ElementsAre("mesh"));
  ASSERT_THAT(service.http, SizeIs(2));
  const HttpRule& rule = service.http[0];
  EXPECT_EQ(rule.name, "all");
  EXPECT_EQ(rule.origin.line, 9);
  ASSERT_THAT(rule.matches, SizeIs(1));
  const HttpMatch& match = rule.matches[0];
  EXPECT_EQ(match.match.uri, (StringMatch{MatchKind::prefix, "/V1", true}));
  EXPECT_EQ(match.match.scheme, (StringMatch{MatchKind::exact, "http", false}));
  EXPECT_EQ(match.match.method, (StringMatch{MatchKind::exact, "GET", false}));
  EXPECT_EQ(match.match.authority, (StringMatch{MatchKind::prefix, "greeter", false}));
  EXPECT_THAT(match.match.headers, UnorderedElementsAre(HeaderMatch{"x-user", {MatchKind::exact, "jane", false}, false},
                                                        HeaderMatch{"x-any", {MatchKind::present, "", false}, false},
                                                        HeaderMatch{"x-re", {MatchKind::regex, "a+", false}, false},
                                                        HeaderMatch{"x-beta", {MatchKind::present, "", false}, true}));
  EXPECT_THAT(match.match.query, UnorderedElementsAre(QueryMatch{"page", {MatchKind::exact, "1", false}},
                                                      QueryMatch{"debug", {MatchKind::present, "", false}}));
  EXPECT_EQ(match.port, 3000);
  EXPECT_EQ(match.source_labels, (Labels{{"app", "client"}}));
  EXPECT_EQ(match.source_namespace, "default");
  EXPECT_THAT(match.gateways, ElementsAre("mesh", "default/edge"));
  ASSERT_THAT(rule.destinations, SizeIs(2));
  EXPECT_EQ(rule.destinations[0].host, "greeter-service.default.svc.cluster.local");
  EXPECT_EQ(rule.destinations[0].subset, "v1");
  EXPECT_EQ(rule.destinations[0].port, 3000);
  EXPECT_EQ(rule.destinations[0].weight, 90);
  EXPECT_EQ(rule.destinations[1].host, "other.example.com");
  EXPECT_EQ(rule.timeout, 90s);
  const RetrySettings retries{.attempts = 3,
                              .retry_on = kRetryOn5xx | kRetryOnConnectFailure | kRetryOnRetriableStatusCodes,
                              .retriable_status_codes = {503},
                              .per_try_timeout = 250ms,
                              .ignores_previous_hosts = false,
                              .backoff = 10ms};
  EXPECT_EQ(rule.retries, retries);
  EXPECT_EQ(rule.fault, (FaultPolicy{2s, 5'000, 418, std::nullopt, 1'000'000}));
  EXPECT_EQ(service.http[1].direct_response->status, 503);
  EXPECT_EQ(service.http[1].direct_response->body, "hello");
}

TEST(VirtualService, UnderstandsEveryWordOfRetryOn) {
  const Documents documents = load(virtual_service(
      "- retries: {attempts: 1, retryOn: \"5xx,gateway-error,reset,reset-before-request,connect-failure,retriable-4xx,"
      "refused-stream,retriable-status-codes,retriable-headers,envoy-ratelimited,http3-post-connect-failure,cancelled,"
      "deadline-exceeded,internal,resource-exhausted,unavailable\"}\n" +
      kRoute));
  EXPECT_EQ(documents.virtual_services.at(0).http.at(0).retries->retry_on, 0xffffU);
}

TEST(VirtualService, RefusesWhatIstioRefuses) {
  const std::pair<std::string, const char*> kCases[] = {
      {"- match: [{uri: {regex: (a}}]\n" + kRoute,
       "test.yaml:9:27: spec.http[0].match[0].uri.regex: \"(a\" is not a regular expression of RE2: missing ): (a"},
      {"- route: [{destination: {host: greeter-service}}]\n  directResponse: {status: 200}\n",
       "test.yaml:10:21: spec.http[0].directResponse: cannot stand together with route in one rule; remove one of "
       "them"},
      {"- fault: {abort: {httpStatus: 500, percentage: {value: 101}}}\n" + kRoute,
       "test.yaml:9:58: spec.http[0].fault.abort.percentage.value: 101 is out of range; allowed is 0, or 0.0001 to "
       "100"},
      {"- fault: {abort: {httpStatus: 700, percentage: {value: 100}}}\n" + kRoute,
       "test.yaml:9:33: spec.http[0].fault.abort.httpStatus: 700 is out of range; allowed is 200 to 599"},
      {"- route: [{destination: {host: a}, weight: -1}, {destination: {host: b}, weight: 101}]\n",
       "test.yaml:9:46: spec.http[0].route[0].weight: -1 is out of range; allowed is 0 to 2147483647"},
      {"- retries: {attempts: 1, perTryTimeout: 0.0005s}\n" + kRoute,
       "test.yaml:9:43: spec.http[0].retries.perTryTimeout: \"0.0005s\" is too short; allowed is at least 1ms; leave "
       "the "
       "field out for no limit"},
      {"- redirect: {uri: /x}\n" + kRoute,
       "test.yaml:9:15: spec.http[0].redirect: cannot stand together with route in one rule; remove one of them"},
      {"- retries: {attempts: 1, retryOn: '600'}\n" + kRoute,
       "test.yaml:9:37: spec.http[0].retries.retryOn: \"600\" is not a word of retryOn; write a condition such as 5xx "
       "or "
       "connect-failure, or a registered status code"},
      {"- timeout: 0.0015s\n" + kRoute,
       "test.yaml:9:14: spec.http[0].timeout: \"0.0015s\" is finer than a millisecond; write a whole number of "
       "milliseconds"},
      {"- timeout: 0s\n" + kRoute,
       "test.yaml:9:14: spec.http[0].timeout: \"0s\" is too short; allowed is at least 1ms; leave the field out for no "
       "limit"},
      {"- timeout: 5\n" + kRoute,
       "test.yaml:9:14: spec.http[0].timeout: \"5\" has no unit; write for example 500ms or 2s"},
      {"- route: [{destination: {host: a}}, {destination: {host: b}}]\n",
       "test.yaml:9:12: spec.http[0].route: all weights are 0 or missing; give the destinations weights, for example "
       "90 "
       "and 10"},
      {"- retries: {retryOn: 5xx}\n" + kRoute,
       "test.yaml:9:24: spec.http[0].retries.retryOn: is set although attempts is 0, which means no retries; set "
       "attempts "
       "to at least 1"},
      {"- headers: {request: {set: {x-a: 100%}}}\n" + kRoute,
       "test.yaml:9:36: spec.http[0].headers.request.set.x-a: has a % that begins no format such as %START_TIME%; "
       "write "
       "%% for one"},
      {"- retries: {attempts: 1, retryOn: 'gatewayerror'}\n" + kRoute,
       "test.yaml:9:37: spec.http[0].retries.retryOn: \"gatewayerror\" is not a word of retryOn; did you mean "
       "gateway-error?"},
      {"- retries: {attempts: 1, retryOn: '5xx, reset'}\n" + kRoute,
       "test.yaml:9:37: spec.http[0].retries.retryOn: \" reset\" is not a word of retryOn; separate the words with "
       "commas "
       "and no blanks"},
      {"- match: [{headers: {x: {prefix: ''}}}]\n" + kRoute,
       "test.yaml:9:36: spec.http[0].match[0].headers.x.prefix: is empty; write the prefix to match"},
      {"- match: [{headers: {x: }}]\n" + kRoute,
       "test.yaml:9:27: spec.http[0].match[0].headers.x: has no condition; write {} for a header that must be there"},
      {"- match: [{headers: {'x y': {exact: a}}}]\n" + kRoute,
       "test.yaml:9:31: spec.http[0].match[0].headers.x y: \"x y\" is not a header name"},
      {"- match: [{uri: {exact: /a, prefix: /b}}]\n" + kRoute,
       "test.yaml:9:19: spec.http[0].match[0].uri: has more than one of exact, prefix and regex; keep one"},
      {"- match: [{sourceNamespace: a.b}]\n" + kRoute,
       "test.yaml:9:31: spec.http[0].match[0].sourceNamespace: \"a.b\" is not a namespace"},
      {"- timeout: 1s\n", "test.yaml:9:5: spec.http[0]: has no route, redirect or directResponse; add one"},
      {"- fault: {}\n" + kRoute,
       "test.yaml:9:12: spec.http[0].fault: has neither delay nor abort; add one or remove the block"},
      {"- fault: {delay: {exponentialDelay: 1s}}\n" + kRoute,
       "test.yaml:9:39: spec.http[0].fault.delay.exponentialDelay: is not supported; use fixedDelay"},
      {"- fault: {abort: {grpcStatus: NOPE}}\n" + kRoute,
       "test.yaml:9:33: spec.http[0].fault.abort.grpcStatus: \"NOPE\" is not a gRPC status; write for example "
       "UNAVAILABLE"},
      {"- route: [{destination: {host: '*'}}]\n",
       "test.yaml:9:34: spec.http[0].route[0].destination.host: \"*\" is not a destination; name one host"},
      {"- route: [{destination: {host: a_b}}]\n",
       "test.yaml:9:34: spec.http[0].route[0].destination.host: \"a_b\" is not a host name: \"a_b\" must be letters, "
       "digits "
       "and inner hyphens, at most 63"},
      {"- route: [{destination: {host: a, subset: V_1}}]\n",
       "test.yaml:9:45: spec.http[0].route[0].destination.subset: \"V_1\" is not a subset name: letters, digits and "
       "inner "
       "hyphens, at most 63"},
      {"- mirror: {host: a}\n  mirrors: [{destination: {host: b}}]\n" + kRoute,
       "test.yaml:10:14: spec.http[0].mirrors: cannot stand together with mirror in one rule; remove one of them"},
      {"- redirect: {}\n",
       "test.yaml:9:15: spec.http[0].redirect: needs uri, prefixRewrite, authority, port or scheme"},
      {"- rewrite: {}\n" + kRoute, "test.yaml:9:14: spec.http[0].rewrite: needs uri, uriRegexRewrite or authority"},
      {"- directResponse: {status: 200, body: {bytes: '%%'}}\n",
       "test.yaml:9:49: spec.http[0].directResponse.body.bytes: is not base64"},
      {"- match: [{uri: {regex: 'a\\C'}}]\n" + kRoute,
       "test.yaml:9:27: spec.http[0].match[0].uri.regex: has \\C, which Istio does not allow; write . for one "
       "character"},
      {"- match: [{sourceLabels: {-a.b/c: d}}]\n" + kRoute,
       "test.yaml:9:37: spec.http[0].match[0].sourceLabels.-a.b/c: the label's name \"-a.b/c\" is not allowed; "
       "letters, "
       "digits and inner -_. are"},
      {"- route: [{destination: {host: 10.0.0.1}}]\n",
       "test.yaml:9:34: spec.http[0].route[0].destination.host: \"10.0.0.1\" is not a host name: the last part is a "
       "number"},
      {"- headers: {response: {add: {x-a: '%REQ()%'}}}\n" + kRoute,
       "test.yaml:9:37: spec.http[0].headers.response.add.x-a: has a % that begins no format such as %START_TIME%; "
       "write "
       "%% for one"},
      {"- headers: {response: {add: {x-a: '%REQ(X):5%'}}}\n" + kRoute,
       "test.yaml:9:37: spec.http[0].headers.response.add.x-a: has a % that begins no format such as %START_TIME%; "
       "write "
       "%% for one"},
      {"- redirect: {uri: ''}\n",
       "test.yaml:9:15: spec.http[0].redirect: needs uri, prefixRewrite, authority, port or scheme"},
      {"- corsPolicy: {allowOrigins: [{}]}\n" + kRoute,
       "test.yaml:9:33: spec.http[0].corsPolicy.allowOrigins[0]: needs one of exact, prefix and regex"},
      {"- corsPolicy: {allowOrigins: [{prefix: ''}]}\n" + kRoute,
       "test.yaml:9:42: spec.http[0].corsPolicy.allowOrigins[0].prefix: is empty; write the origin to allow"},
      {"- corsPolicy: {exposeHeaders: [x y]}\n" + kRoute,
       "test.yaml:9:34: spec.http[0].corsPolicy.exposeHeaders[0]: \"x y\" is not a header name"},
      {"- corsPolicy: {maxAge: 1500ms}\n" + kRoute,
       "test.yaml:9:26: spec.http[0].corsPolicy.maxAge: \"1500ms\" is finer than a second; write whole seconds"},
      {"- rout: []\n", "test.yaml:9:5: spec.http[0].rout: is not a known field; did you mean route?"},
      {"- delegate: {name: d}\n" + kRoute,
       "test.yaml:10:12: spec.http[0].route: cannot stand together with delegate in one rule; remove one of them"},
  };
  for (const auto& [rule, expected] : kCases) EXPECT_EQ(error_of_rule(rule), expected) << rule;
}

TEST(VirtualService, RefusesHostsThatIstioRefuses) {
  const auto error = [](std::string_view spec) {
    const auto errors = errors_of(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec: {http: [{route: "
        "[{destination: {host: a}}]}], " +
        std::string(spec) + "}\n");
    return errors.empty() ? "" : errors.front().substr(errors.front().find(" spec") + 1);
  };
  EXPECT_EQ(error("hosts: ['*']"), "spec.hosts[0]: \"*\" is only allowed on a gateway; name the hosts, or *.<domain>");
  EXPECT_EQ(error("hosts: ['*'], gateways: [edge]"), "");
  EXPECT_EQ(error("hosts: ['*.com', a.com]"), "spec.hosts[1]: \"a.com\" and \"*.com\" overlap; keep one of them");
  EXPECT_EQ(error("hosts: [a, a]"), "spec.hosts[1]: \"a\" and \"a\" overlap; keep one of them");
  EXPECT_EQ(error("hosts: ['a.*.com']"),
            "spec.hosts[0]: \"a.*.com\" is not a host name: * may only stand at its beginning, as in *.example.com");
  EXPECT_EQ(error("hosts: [127.0.0.1]"), "");
  EXPECT_EQ(error("hosts: ['*-a.com', '*b.com', '1', a.b.]"), "");
  EXPECT_EQ(
      error("hosts: ['*-.com']"),
      "spec.hosts[0]: \"*-.com\" is not a host name: \"*-\" must be letters, digits and inner hyphens, at most 63");
  EXPECT_EQ(error("hosts: [1.2.3]"), "spec.hosts[0]: \"1.2.3\" is not a host name: the last part is a number");
  EXPECT_EQ(error("hosts: [a], exportTo: ['*', b]"),
            "spec.exportTo[0]: \"*\" must stand alone; remove the other entries");
  EXPECT_EQ(error("hosts: [a], exportTo: [., default]"),
            "spec.exportTo[1]: \"default\" is there twice (. is this namespace); remove one");
  EXPECT_EQ(error("hosts: [a], exportTo: ['~']"), "spec.exportTo[0]: ~ (nobody) is only allowed in a ServiceEntry");
  EXPECT_EQ(error("gateways: [edge]"),
            "spec.gateways: is not allowed without hosts: that makes it a delegate; add hosts");
  EXPECT_EQ(error("hosts: [a], gateways: [/x]"), "spec.gateways[0]: \"/x\" is not a gateway; write <namespace>/<name>");
}

TEST(VirtualService, RefusesTlsAndTcpRulesThatIstioRefuses) {
  const auto error = [](std::string_view rules) {
    const auto errors =
        errors_of(virtual_service("- route: [{destination: {host: a}}]\n") + "  " + std::string(rules) + "\n");
    return errors.empty() ? "" : errors.front().substr(errors.front().find(" spec") + 1);
  };
  EXPECT_EQ(error("tls: [{match: [{sniHosts: [greeter-service]}], route: [{destination: {host: a}}]}]"), "");
  EXPECT_EQ(error("tls: [{match: [{sniHosts: [a.com]}], route: [{destination: {host: a}}]}]"),
            "spec.tls[0].match[0].sniHosts[0]: \"a.com\" belongs to none of this document's hosts");
  EXPECT_EQ(error("tls: [{match: [{sniHosts: ['*']}], route: [{destination: {host: a}}]}]"),
            "spec.tls[0].match[0].sniHosts[0]: \"*\" belongs to none of this document's hosts");
  EXPECT_EQ(error("tls: [{match: [{sniHosts: [greeter-service]}]}]"), "spec.tls[0]: has no route; add one");
  EXPECT_EQ(error("tcp: [{}]"), "spec.tcp[0]: has no route; add one");
  EXPECT_EQ(
      error("tcp: [{match: [{destinationSubnets: [10.0.0.0/33]}], route: [{destination: {host: a}}]}]"),
      "spec.tcp[0].match[0].destinationSubnets[0]: \"10.0.0.0/33\" is no address and no range such as 10.0.0.0/8");
  EXPECT_EQ(error("tcp: [{match: [{destinationSubnets: [10.0.0.0/8, '2001:db8::/32', 10.0.0.1]}], route: "
                  "[{destination: {host: a}}]}]"),
            "");
  EXPECT_EQ(error("tcp: [{match: [{sourceLabels: {a b: c}}], route: [{destination: {host: a}}]}]"),
            "spec.tcp[0].match[0].sourceLabels.a b: the label's name \"a b\" is not allowed; letters, digits and inner "
            "-_. are");
  EXPECT_EQ(error("tcp: [{match: [{gateways: [g_]}], route: [{destination: {host: a}}]}]"),
            "spec.tcp[0].match[0].gateways[0]: \"g_\" is not a host name: \"g_\" must be letters, digits and inner "
            "hyphens, at most 63");
  EXPECT_EQ(error("tcp: [{route: [{destination: {host: a}}, {destination: {host: b}}]}]"),
            "spec.tcp[0].route: all weights are 0 or missing; give the destinations weights, for example 90 and 10");
}

TEST(VirtualService, AcceptsWhatIstioAccepts) {
  for (const std::string& rule : {
           "- match: [{uri: {prefix: ''}}]\n" + kRoute,
           "- match: [{withoutHeaders: {x: {regex: '*'}}}]\n" + kRoute,
           "- match: [{headers: {':method': {exact: GET}}}]\n" + kRoute,
           "- match: [{method: {}}]\n" + kRoute,
           "- retries: {}\n" + kRoute,
           "- retries: {attempts: 2, retryOn: ''}\n" + kRoute,
           "- retries: {attempts: 0, backoff: 1s}\n" + kRoute,
           "- headers: {request: {set: {Host: a.b, x: '%START_TIME(%s)%x', y: '100%%'}}}\n" + kRoute,
           "- fault: {abort: {percentage: {value: 0}}}\n" + kRoute,
           std::string("- route: [{destination: {host: a}, weight: 0}, {destination: {host: b}, weight: 3}]\n"),
           std::string("- redirect: {uri: /x}\n  match: [{uri: {prefix: /y}}]\n"),
           std::string("- delegate: {name: d}\n"),
           "- match: [{port: 0}]\n" + kRoute,
           "- match: [{uri: {regex: '\\\\C'}}]\n" + kRoute,
           "- headers: {request: {set: {x: '%REQ(X-A?Y)%'}}}\n" + kRoute,
           "- corsPolicy: {allowOrigins: [{regex: '.*'}], maxAge: 1m, allowHeaders: ['*']}\n" + kRoute,
       }) {
    EXPECT_THAT(errors_of(virtual_service(rule)), IsEmpty()) << rule;
  }
}

TEST(VirtualService, NamesEveryFieldThatIsNotEnforced) {
  const auto warnings = warnings_of(virtual_service(R"(- match:
  - uri: {prefix: /a}
    statPrefix: s
  rewrite: {uri: /b}
  mirror: {host: m}
  mirrorPercentage: {value: 10}
  mirrorPercent: 10
  corsPolicy: {allowOrigins: [{exact: "http://a"}], maxAge: 24h, allowMethods: [GET]}
  headers: {response: {remove: [x]}}
  retries: {attempts: 1, retryRemoteLocalities: true}
  route: [{destination: {host: a}, headers: {request: {add: {x: "1"}}}}]
- mirrors: [{destination: {host: m}, percentage: {value: 1}}]
  route: [{destination: {host: a}}]
- redirect: {uri: /x, redirectCode: 302}
)") + "  tls: [{match: [{sniHosts: [greeter-service]}], route: [{destination: {host: a}}]}]\n" +
                                    "  tcp: [{match: [{port: 1}], route: [{destination: {host: a}}]}]\n");
  std::vector<std::string> paths;
  for (const Finding& finding : warnings) {
    EXPECT_EQ(finding.code, kNotEnforced);
    EXPECT_EQ(finding.document, "VirtualService default/greeter-service");
    EXPECT_GT(finding.line, 0);
    paths.push_back(finding.path);
  }
  EXPECT_THAT(paths,
              UnorderedElementsAre("spec.http[0].match[0].statPrefix", "spec.http[0].rewrite", "spec.http[0].mirror",
                                   "spec.http[0].mirrorPercentage", "spec.http[0].mirrorPercent",
                                   "spec.http[0].corsPolicy", "spec.http[0].headers",
                                   "spec.http[0].retries.retryRemoteLocalities", "spec.http[0].route[0].headers",
                                   "spec.http[1].mirrors", "spec.http[2].redirect", "spec.tls", "spec.tcp"));
}

TEST(VirtualService, SaysWhenAFaultNeverHappens) {
  const auto warnings =
      warnings_of(virtual_service("- fault: {abort: {httpStatus: 503}, delay: {fixedDelay: 1s}}\n" + kRoute));
  ASSERT_THAT(warnings, SizeIs(2));
  EXPECT_EQ(warnings[0].message, "delays nothing: percentage is not set or 0; add percentage: {value: 100}");
  EXPECT_EQ(warnings[1].message, "aborts nothing: percentage is not set or 0; add percentage: {value: 100}");
}

}  // namespace
}  // namespace config
