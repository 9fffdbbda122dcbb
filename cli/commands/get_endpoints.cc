#include "cli/commands/get_endpoints.h"

#include <chrono>
#include <cstdio>
#include <ctime>

#include "cli/exit_code.h"

namespace cli {
namespace {

std::string time_of_day(base::WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  char text[16];
  std::strftime(text, sizeof text, "%H:%M:%S", &parts);
  return text;
}

Table::Cell state_of(const admin::EndpointView& endpoint, base::WallTime now) {
  if (!endpoint.is_ejected) return {"healthy", Colour::green};
  std::string text = "ejected";
  if (endpoint.returns_in) {
    text += " until " + time_of_day(now + *endpoint.returns_in) + " (" + short_duration(*endpoint.returns_in) + ")";
  }
  return {text, Colour::red};
}

struct BackendName {
  std::string service, subset;
};

// outbound|3000|v1|host -> host:3000 and v1.
BackendName split_name(const std::string& name) {
  std::vector<std::string> parts;
  std::size_t start = 0;
  for (auto bar = name.find('|'); bar != std::string::npos; bar = name.find('|', start)) {
    parts.push_back(name.substr(start, bar - start));
    start = bar + 1;
  }
  parts.push_back(name.substr(start));
  if (parts.size() != 4) return {name, ""};
  return {parts[3] + ":" + parts[1], parts[2]};
}

}  // namespace

std::string short_duration(std::chrono::milliseconds duration) {
  auto left = std::chrono::ceil<std::chrono::seconds>(duration).count();
  std::string text;
  if (left >= 3600) text += std::to_string(left / 3600) + "h";
  if (left >= 60 && left % 3600 / 60 > 0) text += std::to_string(left % 3600 / 60) + "m";
  left %= 60;
  return left > 0 || text.empty() ? text + std::to_string(left) + "s" : text;
}

std::string endpoints_text(const std::vector<admin::BackendView>& backends, const std::string& service,
                           base::WallTime now, const Terminal& terminal) {
  Table table;
  const auto head = [](const char* text) { return Table::Cell{text, Colour::dim}; };
  table.add(
      {head("FROM"), head("SERVICE"), head("SUBSET"), head("ENDPOINT"), head("ACTIVE"), head("STATE"), head("RULE")});
  bool is_empty = true;
  for (const auto& backend : backends) {
    if (backend.name.find(service) == std::string::npos) continue;
    const auto name = split_name(backend.name);
    for (const auto& endpoint : backend.endpoints) {
      is_empty = false;
      table.add({{printable(backend.source)},
                 {printable(name.service)},
                 {name.subset.empty() ? "-" : printable(name.subset)},
                 {printable(endpoint.address)},
                 {std::to_string(endpoint.active_requests)},
                 state_of(endpoint, now),
                 {printable(endpoint.ejection_rule)}});
    }
  }
  if (is_empty) return "No endpoints" + (service.empty() ? std::string() : " of " + printable(service)) + ".\n";
  return table.to_string(terminal);
}

int run_get_endpoints(const GetEndpointsOptions& options, const Terminal& terminal) {
  const auto address = base::SocketAddress::parse(options.admin);
  if (!address) {
    std::fprintf(stderr, "fairlead get endpoints: --admin: %s\n", address.error().message.c_str());
    return kUsage;
  }
  const auto page = admin::fetch(*address, "/clusters?format=json");
  if (!page) {
    std::fprintf(stderr, "fairlead get endpoints: %s\n", page.error().message.c_str());
    return kBad;
  }
  const auto backends = admin::parse_backends(*page);
  if (!backends) {
    std::fprintf(stderr, "fairlead get endpoints: %s\n", backends.error().message.c_str());
    return kBad;
  }
  const std::string text = options.format == OutputFormat::json
                               ? *page
                               : endpoints_text(*backends, options.service, base::wall_now(), terminal);
  std::fputs(text.c_str(), stdout);
  return kGood;
}

}  // namespace cli
