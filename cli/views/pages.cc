#include "cli/views/pages.h"

#include <boost/json.hpp>

namespace cli {
namespace {

namespace json = boost::json;

json::value parse(const std::string& page) {
  json::error_code error;
  json::value value = json::parse(page, error);
  return error ? json::value(nullptr) : value;
}

bool is_of(const json::value& item, std::string_view name_space) {
  const auto* const object = item.if_object();
  const auto* const own = object == nullptr ? nullptr : object->if_contains("namespace");
  return name_space.empty() || own == nullptr || !own->is_string() || own->get_string() == name_space;
}

}  // namespace

std::string status_json(const Fleet& fleet) {
  json::array nodes;
  for (const NodeReport& report : fleet) {
    json::object node{{"node", report.node}, {"agent", report.agent}};
    node["error"] = report.error.empty() ? json::value(nullptr) : json::value(report.error);
    node["config_dump"] = parse(report.config_dump);
    nodes.emplace_back(std::move(node));
  }
  return json::serialize(json::object{{"nodes", std::move(nodes)}}) + "\n";
}

std::string part_json(const Fleet& fleet, std::string_view part, std::string_view name_space) {
  json::array nodes;
  for (const NodeReport& report : fleet) {
    json::array kept;
    const json::value page = parse(part == "clusters" ? report.clusters : report.config_dump);
    const auto* const object = page.if_object();
    const auto* const all = object == nullptr ? nullptr : object->if_contains(part);
    if (all != nullptr && all->is_array()) {
      for (const json::value& item : all->get_array()) {
        if (is_of(item, name_space)) kept.push_back(item);
      }
    }
    json::object node{{"node", report.node}};
    node["error"] = report.error.empty() ? json::value(nullptr) : json::value(report.error);
    node[part] = std::move(kept);
    nodes.emplace_back(std::move(node));
  }
  return json::serialize(json::object{{"nodes", std::move(nodes)}}) + "\n";
}

}  // namespace cli
