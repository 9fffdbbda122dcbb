#include "config/istio/unenforced_actions.h"

#include <algorithm>
#include <array>

#include "config/istio/destination.h"
#include "config/istio/header_operations.h"

namespace config::istio {
namespace {

constexpr Milliseconds kSecond{1000};

void check_redirect(const Node& rule, Report& report) {
  const Node redirect = rule["redirect"];
  if (!redirect) return;
  const auto says = [&](std::string_view name) { return !redirect[name].text().empty(); };
  if (redirect["uri"] && redirect["prefixRewrite"]) report.error(redirect, "has both uri and prefixRewrite; keep one");
  if (redirect["port"] && redirect["derivePort"]) report.error(redirect, "has both port and derivePort; keep one");
  const bool says_anything = says("uri") || says("prefixRewrite") || says("authority") || redirect["port"] ||
                             redirect["derivePort"] || says("scheme");
  if (!says_anything) report.error(redirect, "needs uri, prefixRewrite, authority, port or scheme");
  if (const std::string scheme = redirect["scheme"].text(); !scheme.empty() && scheme != "http" && scheme != "https") {
    report.error(redirect["scheme"], quoted(scheme) + " is not a scheme; allowed: http or https");
  }
  if (redirect["prefixRewrite"]) {
    for (const Node& match : rule["match"].items()) {
      if (match["uri"] && !match["uri"]["prefix"])
        report.error(match["uri"], "must be a prefix, because prefixRewrite is used");
    }
  }
}

void check_rewrite(const Node& rule, Report& report) {
  const Node rewrite = rule["rewrite"];
  std::string authority = rewrite["authority"].text();
  if (rewrite) {
    if (rewrite["uri"] && rewrite["uriRegexRewrite"])
      report.error(rewrite, "has both uri and uriRegexRewrite; keep one");
    if (rewrite["uri"].text().empty() && !rewrite["uriRegexRewrite"] && authority.empty()) {
      report.error(rewrite, "needs uri, uriRegexRewrite or authority");
    }
    if (const Node regex = rewrite["uriRegexRewrite"]["match"]) check_regex(regex, report);
  }
  for (const std::string_view operation : {"set", "add"}) {
    for (const auto& [name, value] : rule["headers"]["request"][operation].members()) {
      if (!is_authority(name)) continue;
      if (!authority.empty()) report.error(value, "sets the authority a second time; keep one place");
      authority = value.text();
    }
  }
}

void check_cors(const Node& cors, Report& report) {
  for (const Node& origin : cors["allowOrigins"].items()) {
    int given = 0;
    for (const std::string_view name : {"exact", "prefix", "regex"}) {
      if (const Node value = origin[name]) {
        ++given;
        if (value.text().empty()) report.error(value, "is empty; write the origin to allow");
      }
    }
    if (given != 1) report.error(origin, "needs one of exact, prefix and regex");
    if (const Node regex = origin["regex"]; regex && !regex.text().empty()) check_regex(regex, report);
  }
  constexpr std::array<std::string_view, 10> kMethods = {"GET",    "HEAD",    "POST",    "PUT",   "PATCH",
                                                         "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"};
  for (const Node& method : cors["allowMethods"].items()) {
    if (std::find(kMethods.begin(), kMethods.end(), method.text()) == kMethods.end()) {
      report.error(method, quoted(method.text()) + " is not a method of HTTP");
    }
  }
  for (const std::string_view list : {"allowHeaders", "exposeHeaders"}) {
    for (const Node& item : cors[list].items()) {
      if (!is_header_name(item.text())) report.error(item, quoted(item.text()) + " is not a header name");
    }
  }
  if (const Node age = cors["maxAge"]) {
    if (age.duration().value_or(kSecond) % kSecond != Milliseconds{0})
      report.error(age, quoted(age.text()) + " is finer than a second; write whole seconds");
  }
}

void check_mirror_percentage(const Node& node, Report& report) {
  const Node value = node["value"];
  if (value && (value.number() < 0 || value.number() > 100)) {
    report.error(value, value.value()->text + " is out of range; allowed is 0 to 100");
  }
}

void check_mirrors(const Node& rule, Report& report) {
  if (rule["mirror"]) check_destination(rule["mirror"], report);
  check_mirror_percentage(rule["mirrorPercentage"], report);
  for (const Node& mirror : rule["mirrors"].items()) {
    check_destination(mirror["destination"], report);
    check_mirror_percentage(mirror["percentage"], report);
  }
}

}  // namespace

void check_unenforced_actions(const Node& rule, Report& report) {
  check_header_operations(rule["headers"], report);
  for (const Node& destination : rule["route"].items()) check_header_operations(destination["headers"], report);
  check_cors(rule["corsPolicy"], report);
  check_redirect(rule, report);
  check_rewrite(rule, report);
  check_mirrors(rule, report);
}

}  // namespace config::istio
