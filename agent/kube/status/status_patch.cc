#include "agent/kube/status/status_patch.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <set>
#include <string_view>
#include <utility>

#include "agent/kube/api_error.h"
#include "agent/kube/api_time.h"

namespace agent::kube {
namespace {

namespace json = boost::json;
using config::DocumentState;
using config::Finding;

constexpr std::size_t kMaxFindings = 8;       // in a message; `fairlead analyze` has all of them
constexpr std::string_view kOurCodes = "FL";  // others are Istio's, and their analyzers' to write
constexpr std::pair<std::string_view, const char*> kNames[] = {
    {config::kNotEnforced, "FieldNotEnforced"},
    {config::kNeverEjects, "NeverEjects"},
    {config::kDeprecatedIgnored, "DeprecatedFieldIgnored"},
    {config::kInvalidDocument, "InvalidDocument"},
};

const char* name_of(std::string_view code) {
  for (const auto& [each, name] : kNames) {
    if (each == code) return name;
  }
  return "FairleadFinding";
}

const char* level_of(config::Severity severity) {
  switch (severity) {
    case config::Severity::error:
      return "ERROR";
    case config::Severity::warning:
      return "WARNING";
    case config::Severity::info:
      break;
  }
  return "INFO";
}

const json::value* member(const json::value* parent, std::string_view key) {
  const json::object* object = parent != nullptr ? parent->if_object() : nullptr;
  return object != nullptr ? object->if_contains(key) : nullptr;
}

std::string_view text(const json::value* value) {
  const json::string* found = value != nullptr ? value->if_string() : nullptr;
  return found != nullptr ? std::string_view(*found) : std::string_view();
}

// Istio's definition of the field takes both.
bool is_number(const json::value* value, std::int64_t number) {
  if (value == nullptr) return false;
  if (const auto* found = value->if_int64()) return *found == number;
  std::int64_t parsed = 0;
  const std::string_view digits = text(value);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), parsed);
  return error == std::errc{} && end == digits.data() + digits.size() && parsed == number;
}

// The list under `key` without what is ours.
template <typename IsOurs>
json::array others(const json::value* status, std::string_view key, const IsOurs& is_ours) {
  json::array kept;
  const json::value* list = member(status, key);
  if (list == nullptr || !list->is_array()) return kept;
  for (const json::value& item : list->get_array()) {
    if (!is_ours(item)) kept.push_back(item);
  }
  return kept;
}

bool is_our_condition(const json::value& item) { return text(member(&item, "type")) == Condition::kType; }
bool is_our_message(const json::value& item) {
  return text(member(member(&item, "type"), "code")).starts_with(kOurCodes);
}

const json::value* our_condition(const json::value* status) {
  const json::value* list = member(status, "conditions");
  if (list == nullptr || !list->is_array()) return nullptr;
  const auto found = std::find_if(list->get_array().begin(), list->get_array().end(), is_our_condition);
  return found == list->get_array().end() ? nullptr : found;
}

bool says(const json::value* condition, const Condition& wanted, std::int64_t generation) {
  return condition != nullptr && text(member(condition, "status")) == (wanted.is_accepted ? "True" : "False") &&
         text(member(condition, "reason")) == wanted.reason && text(member(condition, "message")) == wanted.message &&
         is_number(member(condition, "observedGeneration"), generation);
}

json::object to_json(const Condition& condition, std::int64_t generation, const json::value* before,
                     base::WallTime now) {
  const char* const status = condition.is_accepted ? "True" : "False";
  const bool is_same = text(member(before, "status")) == status;
  const std::string_view since = is_same ? text(member(before, "lastTransitionTime")) : std::string_view();
  return {
      {"type", Condition::kType},         {"status", status},
      {"reason", condition.reason},       {"message", condition.message},
      {"observedGeneration", generation}, {"lastTransitionTime", since.empty() ? api_time(now) : std::string(since)}};
}

// One of a kind: where each of them is, is in the condition's message, for which these have no room.
json::array messages_of(const Verdict& verdict) {
  json::array messages;
  std::set<std::pair<std::string, config::Severity>> known;
  for (const Finding& finding : verdict.findings) {
    if (!finding.code.starts_with(kOurCodes) || !known.emplace(finding.code, finding.severity).second) continue;
    messages.push_back(json::object{{"type", json::object{{"code", finding.code}, {"name", name_of(finding.code)}}},
                                    {"level", level_of(finding.severity)}});
  }
  return messages;
}

// Adds `key` to the patch unless the list is there already, in whatever order.
void set_list(json::object& patch, const json::value* status, std::string_view key, json::array kept,
              const json::array& ours) {
  kept.insert(kept.end(), ours.begin(), ours.end());
  const json::value* now = member(status, key);
  const bool is_empty = now == nullptr || now->is_null() || (now->is_array() && now->get_array().empty());
  if (kept.empty() && is_empty) return;
  if (now != nullptr && now->is_array() && now->get_array().size() == kept.size() &&
      std::is_permutation(kept.begin(), kept.end(), now->get_array().begin())) {
    return;
  }
  patch[key] = kept.empty() ? json::value(nullptr) : json::value(std::move(kept));
}

}  // namespace

Condition condition_of(const Verdict& verdict) {
  Condition condition;
  switch (verdict.state) {
    case DocumentState::active:
      condition.reason = "Accepted";
      break;
    case DocumentState::partial:
      condition.reason = "PartlyEnforced";
      break;
    case DocumentState::inactive:
      condition.reason = "NotApplicable";
      break;
    case DocumentState::rejected:
      condition.reason = "Rejected";
      condition.is_accepted = false;
      break;
  }
  std::size_t count = 0;
  for (const Finding& finding : verdict.findings) {
    // What is only a warning does not matter where nothing of it is enforced.
    if (!condition.is_accepted && finding.severity != config::Severity::error) continue;
    if (++count > kMaxFindings) continue;
    if (count > 1) condition.message += "; ";
    condition.message += (finding.path.empty() ? "" : finding.path + ": ") + printable(finding.message);
  }
  if (count > kMaxFindings) condition.message += "; and " + std::to_string(count - kMaxFindings) + " more";
  if (!condition.is_accepted) condition.message += ". The last good version stays in force where it was known.";
  return condition;
}

std::optional<StatusPatch> status_patch(const json::object& object, const Verdict& verdict, base::WallTime now) {
  const json::value* metadata = object.if_contains("metadata");
  const json::value* version = member(metadata, "generation");
  const std::int64_t generation = version != nullptr && version->is_int64() ? version->get_int64() : 0;
  const json::value* status = object.if_contains("status");
  const Condition condition = condition_of(verdict);
  const json::value* before = our_condition(status);
  const bool is_news = !says(before, condition, generation);

  json::object patch;
  if (is_news) {
    json::array conditions = others(status, "conditions", is_our_condition);
    conditions.push_back(to_json(condition, generation, before, now));
    patch["conditions"] = std::move(conditions);
  }
  if (!is_number(member(status, "observedGeneration"), generation)) patch["observedGeneration"] = generation;
  set_list(patch, status, "validationMessages", others(status, "validationMessages", is_our_message),
           messages_of(verdict));
  if (patch.empty()) return std::nullopt;
  const json::object body{{"metadata", json::object{{"resourceVersion", text(member(metadata, "resourceVersion"))}}},
                          {"status", std::move(patch)}};
  return StatusPatch{.body = json::serialize(body), .is_news = is_news};
}

}  // namespace agent::kube
