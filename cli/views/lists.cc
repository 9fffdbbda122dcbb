#include "cli/views/lists.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>
#include <set>

#include "cli/views/backend_name.h"
#include "cli/views/duration_text.h"
#include "cli/views/state_colour.h"

namespace cli {
namespace {

Table::Cell head(const char* text) { return {text, Colour::dim}; }

bool is_cluster(const Fleet& fleet) { return !fleet.empty() && !fleet.front().node.empty(); }

std::string joined(const std::set<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ",") + printable(word);
  return text.empty() ? "-" : text;
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

bool is_of(const std::string& name_space, const ListFilter& filter) {
  return filter.name_space.empty() || filter.name_space == name_space;
}

std::string none_of(const std::string& what, const ListFilter& filter) {
  std::string text = "No " + what;
  if (!filter.name.empty()) text += " of " + printable(filter.name);
  if (!filter.name_space.empty()) text += " in the namespace " + printable(filter.name_space);
  return text + ".\n";
}

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

}  // namespace

std::string workloads_text(const Fleet& fleet, const ListFilter& filter, const Terminal& terminal) {
  const bool has_nodes = is_cluster(fleet);
  Table table;
  std::vector<Table::Cell> heads{head("WORKLOAD"), head(has_nodes ? "POD" : "INSTANCE"), head("STATE"), head("REASON")};
  if (has_nodes) heads.insert(heads.begin() + 2, head("NODE"));
  table.add(std::move(heads));
  for (const NodeReport& report : fleet) {
    std::set<std::pair<std::string, std::string>> running;
    for (const auto& pod : report.view.pods) {
      running.emplace(pod.name_space, pod.workload);
      if (!is_of(pod.name_space, filter) || !holds(pod.workload, filter.name)) continue;
      std::vector<Table::Cell> row{{printable(pod.name_space + "/" + pod.workload)},
                                   {printable(pod.name)},
                                   {pod.state, colour_of(pod.state)},
                                   {printable(pod.reason)}};
      if (has_nodes) row.insert(row.begin() + 2, {printable(report.node)});
      table.add(std::move(row));
    }
    if (has_nodes) continue;
    for (const auto& workload : report.view.workloads) {
      if (running.contains({workload.name_space, workload.name})) continue;
      if (!is_of(workload.name_space, filter) || !holds(workload.name, filter.name)) continue;
      table.add({{printable(workload.name_space + "/" + workload.name)}, {"-"}, {"not running", Colour::dim}});
    }
  }
  return table.row_count() > 1 ? table.to_string(terminal) : none_of("workloads", filter);
}

std::string services_text(const Fleet& fleet, const ListFilter& filter, const Terminal& terminal) {
  struct Row {
    std::string name_space;
    std::set<std::string> addresses, ports, nodes;
  };
  std::map<std::string, Row> rows;  // by host
  for (const NodeReport& report : fleet) {
    for (const auto& service : report.view.services) {
      if (!is_of(service.name_space, filter) || !holds(service.host, filter.name)) continue;
      Row& row = rows[service.host];
      row.name_space = service.name_space;
      row.addresses.insert(service.vips.begin(), service.vips.end());
      for (const auto& port : service.ports) row.ports.insert(std::to_string(port.number) + "/" + port.protocol);
      row.nodes.insert(report.node);
    }
  }
  if (rows.empty()) return none_of(is_cluster(fleet) ? "services that captured pods call" : "services", filter);
  Table table;
  std::vector<Table::Cell> heads{head("NAMESPACE"), head("SERVICE"), head("PORTS"), head("ADDRESSES")};
  if (is_cluster(fleet)) heads.push_back(head("CALLED ON"));
  table.add(std::move(heads));
  for (const auto& [host, row] : rows) {
    std::vector<Table::Cell> cells{
        {printable(row.name_space)}, {printable(host)}, {joined(row.ports)}, {joined(row.addresses)}};
    if (is_cluster(fleet)) cells.push_back({joined(row.nodes)});
    table.add(std::move(cells));
  }
  return table.to_string(terminal);
}

std::string endpoints_text(const Fleet& fleet, const ListFilter& filter, base::WallTime now, const Terminal& terminal) {
  const bool has_nodes = is_cluster(fleet);
  Table table;
  std::vector<Table::Cell> heads{head("FROM"),   head("SERVICE"), head("SUBSET"), head("ENDPOINT"),
                                 head("ACTIVE"), head("STATE"),   head("RULE")};
  if (has_nodes) heads.insert(heads.begin(), head("NODE"));
  table.add(std::move(heads));
  for (const NodeReport& report : fleet) {
    std::map<std::string, std::string, std::less<>> namespaces;
    for (const auto& service : report.view.services) namespaces[service.host] = service.name_space;
    for (const admin::BackendView& backend : report.backends) {
      const auto name = split_backend_name(backend.name);
      if (!holds(backend.name, filter.name) || !is_of(namespaces[name.host], filter)) continue;
      for (const auto& endpoint : backend.endpoints) {
        std::vector<Table::Cell> row{{printable(backend.source)},
                                     {printable(name.port.empty() ? name.host : name.host + ":" + name.port)},
                                     {name.subset.empty() ? "-" : printable(name.subset)},
                                     {printable(endpoint.address)},
                                     {std::to_string(endpoint.active_requests)},
                                     state_of(endpoint, now),
                                     {printable(endpoint.ejection_rule)}};
        if (has_nodes) row.insert(row.begin(), {printable(report.node)});
        table.add(std::move(row));
      }
    }
  }
  if (table.row_count() > 1) return table.to_string(terminal);
  return none_of("endpoints in use", filter) + "They are listed from a workload's first request to them on.\n";
}

}  // namespace cli
