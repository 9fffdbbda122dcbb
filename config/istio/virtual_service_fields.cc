#include "config/istio/retry_settings.h"
#include "config/istio/virtual_service.h"

// The whole schema of VirtualService, so that a misspelt field is an error and a real one never is.
namespace config::istio {
namespace {

constexpr Field kStringMatch[] = {{.name = "exact"}, {.name = "prefix"}, {.name = "regex"}};

constexpr Field kPortSelector[] = {{.name = "number", .type = Type::integer, .min = 1, .max = kMaxPort}};

constexpr Field kDestination[] = {
    {.name = "host", .is_required = true},
    {.name = "subset"},
    {.name = "port", .type = Type::object, .fields = kPortSelector},
};

constexpr Field kPercent[] = {{.name = "value", .type = Type::number}};

constexpr Field kHeaderOperations[] = {
    {.name = "set", .type = Type::text_map},
    {.name = "add", .type = Type::text_map},
    {.name = "remove", .type = Type::text_list},
};
constexpr Field kHeaders[] = {
    {.name = "request", .type = Type::object, .fields = kHeaderOperations},
    {.name = "response", .type = Type::object, .fields = kHeaderOperations},
};

constexpr Field kHttpMatch[] = {
    {.name = "name"},
    {.name = "uri", .type = Type::object, .fields = kStringMatch},
    {.name = "scheme", .type = Type::object, .fields = kStringMatch},
    {.name = "method", .type = Type::object, .fields = kStringMatch},
    {.name = "authority", .type = Type::object, .fields = kStringMatch},
    {.name = "headers", .type = Type::object_map, .fields = kStringMatch},
    {.name = "port", .type = Type::integer, .min = 0, .max = kMaxPort},  // 0: any, as if it was not written
    {.name = "sourceLabels", .type = Type::text_map},
    {.name = "gateways", .type = Type::text_list},
    {.name = "queryParams", .type = Type::object_map, .fields = kStringMatch},
    {.name = "ignoreUriCase", .type = Type::boolean},
    {.name = "withoutHeaders", .type = Type::object_map, .fields = kStringMatch},
    {.name = "sourceNamespace"},
    {.name = "statPrefix", .support = Support::not_enforced, .note = "Envoy's own statistics have no counterpart here"},
};

constexpr Field kHttpRouteDestination[] = {
    {.name = "destination", .type = Type::object, .fields = kDestination, .is_required = true},
    {.name = "weight", .type = Type::integer, .min = 0, .max = kMaxInt32},
    {.name = "headers", .type = Type::object, .fields = kHeaders, .support = Support::not_enforced},
};

constexpr std::string_view kDerivedPorts[] = {"FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"};
constexpr Field kRedirect[] = {
    {.name = "uri"},
    {.name = "authority"},
    {.name = "port", .type = Type::integer, .min = 1, .max = kMaxPort},
    {.name = "derivePort", .type = Type::word, .words = kDerivedPorts},
    {.name = "scheme"},
    {.name = "redirectCode", .type = Type::integer, .min = 300, .max = 399},
    {.name = "prefixRewrite"},
};

constexpr Field kBody[] = {{.name = "string"}, {.name = "bytes"}};
constexpr Field kDirectResponse[] = {
    {.name = "status", .type = Type::integer, .min = 200, .max = 599, .is_required = true},
    {.name = "body", .type = Type::object, .fields = kBody},
};

constexpr Field kDelegate[] = {{.name = "name", .is_required = true}, {.name = "namespace"}};

constexpr Field kRegexRewrite[] = {{.name = "match", .is_required = true}, {.name = "rewrite", .is_required = true}};
constexpr Field kRewrite[] = {
    {.name = "uri"},
    {.name = "authority"},
    {.name = "uriRegexRewrite", .type = Type::object, .fields = kRegexRewrite},
};

constexpr Field kDelay[] = {
    {.name = "percent", .type = Type::integer, .min = 0, .max = 100},
    {.name = "fixedDelay", .type = Type::duration},
    {.name = "exponentialDelay", .type = Type::duration},
    {.name = "percentage", .type = Type::object, .fields = kPercent},
};
constexpr Field kAbort[] = {
    {.name = "httpStatus", .type = Type::integer, .min = 200, .max = 599},
    {.name = "grpcStatus"},
    {.name = "http2Error"},
    {.name = "percentage", .type = Type::object, .fields = kPercent},
};
constexpr Field kFault[] = {
    {.name = "delay", .type = Type::object, .fields = kDelay},
    {.name = "abort", .type = Type::object, .fields = kAbort},
};

constexpr Field kMirror[] = {
    {.name = "destination", .type = Type::object, .fields = kDestination, .is_required = true},
    {.name = "percentage", .type = Type::object, .fields = kPercent},
};

constexpr std::string_view kPreflights[] = {"UNSPECIFIED", "FORWARD", "IGNORE"};
constexpr Field kCors[] = {
    {.name = "allowOrigin", .type = Type::text_list},
    {.name = "allowOrigins", .type = Type::object_list, .fields = kStringMatch},
    {.name = "allowMethods", .type = Type::text_list},
    {.name = "allowHeaders", .type = Type::text_list},
    {.name = "exposeHeaders", .type = Type::text_list},
    {.name = "maxAge", .type = Type::duration},
    {.name = "allowCredentials", .type = Type::boolean},
    {.name = "unmatchedPreflights", .type = Type::word, .words = kPreflights},
};

std::span<const Field> http_fields() {
  static const Field kHttp[] = {
      {.name = "name"},
      {.name = "match", .type = Type::object_list, .fields = kHttpMatch},
      {.name = "route", .type = Type::object_list, .fields = kHttpRouteDestination},
      {.name = "redirect",
       .type = Type::object,
       .fields = kRedirect,
       .support = Support::not_enforced,
       .note = "the rule is left out, so its requests meet the rules below it"},
      {.name = "directResponse", .type = Type::object, .fields = kDirectResponse},
      {.name = "delegate",
       .type = Type::object,
       .fields = kDelegate,
       .support = Support::not_enforced,
       .note = "the rule is left out, so its requests meet the rules below it"},
      {.name = "rewrite",
       .type = Type::object,
       .fields = kRewrite,
       .support = Support::not_enforced,
       .note = "requests are routed and keep their path and authority"},
      {.name = "timeout", .type = Type::duration},
      {.name = "retries", .type = Type::object, .fields = retry_fields()},
      {.name = "fault", .type = Type::object, .fields = kFault},
      {.name = "mirror",
       .type = Type::object,
       .fields = kDestination,
       .support = Support::not_enforced,
       .note = "no copies are sent"},
      {.name = "mirrors",
       .type = Type::object_list,
       .fields = kMirror,
       .support = Support::not_enforced,
       .note = "no copies are sent"},
      {.name = "mirrorPercent",
       .type = Type::integer,
       .min = 0,
       .max = 100,
       .support = Support::not_enforced,
       .note = "no copies are sent"},
      {.name = "mirrorPercentage",
       .type = Type::object,
       .fields = kPercent,
       .support = Support::not_enforced,
       .note = "no copies are sent"},
      {.name = "corsPolicy",
       .type = Type::object,
       .fields = kCors,
       .support = Support::not_enforced,
       .note = "preflight requests reach the application"},
      {.name = "headers",
       .type = Type::object,
       .fields = kHeaders,
       .support = Support::not_enforced,
       .note = "headers are passed as they are"},
  };
  return kHttp;
}

constexpr Field kTcpDestination[] = {
    {.name = "destination", .type = Type::object, .fields = kDestination, .is_required = true},
    {.name = "weight", .type = Type::integer, .min = 0, .max = kMaxInt32},
};
constexpr Field kTlsMatch[] = {
    {.name = "sniHosts", .type = Type::text_list, .is_required = true},
    {.name = "destinationSubnets", .type = Type::text_list},
    {.name = "port", .type = Type::integer, .min = 1, .max = kMaxPort},
    {.name = "sourceLabels", .type = Type::text_map},
    {.name = "gateways", .type = Type::text_list},
    {.name = "sourceNamespace"},
};
constexpr Field kTls[] = {
    {.name = "match", .type = Type::object_list, .fields = kTlsMatch, .is_required = true},
    {.name = "route", .type = Type::object_list, .fields = kTcpDestination},
};
constexpr Field kTcpMatch[] = {
    {.name = "destinationSubnets", .type = Type::text_list},
    {.name = "port", .type = Type::integer, .min = 1, .max = kMaxPort},
    {.name = "sourceSubnet"},
    {.name = "sourceLabels", .type = Type::text_map},
    {.name = "gateways", .type = Type::text_list},
    {.name = "sourceNamespace"},
};
constexpr Field kTcp[] = {
    {.name = "match", .type = Type::object_list, .fields = kTcpMatch},
    {.name = "route", .type = Type::object_list, .fields = kTcpDestination},
};

}  // namespace

std::span<const Field> virtual_service_fields() {
  static const Field kSpec[] = {
      {.name = "hosts", .type = Type::text_list},
      {.name = "gateways", .type = Type::text_list},
      {.name = "http", .type = Type::object_list, .fields = http_fields()},
      {.name = "tls",
       .type = Type::object_list,
       .fields = kTls,
       .support = Support::not_enforced,
       .note = "TLS connections pass untouched"},
      {.name = "tcp",
       .type = Type::object_list,
       .fields = kTcp,
       .support = Support::not_enforced,
       .note = "TCP connections pass untouched"},
      {.name = "exportTo", .type = Type::text_list},
  };
  return kSpec;
}

}  // namespace config::istio
