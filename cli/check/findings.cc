#include "cli/check/findings.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

namespace cli::check {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 3> kVerdictNames{"good", "note", "missing"};

Table::Cell mark(Verdict verdict) {
  switch (verdict) {
    case Verdict::good:
      return {"ok", Colour::green};
    case Verdict::note:
      return {"note", Colour::yellow};
    case Verdict::missing:
      break;
  }
  return {"missing", Colour::red};
}

}  // namespace

bool has_missing(const std::vector<Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& finding) { return finding.verdict == Verdict::missing; });
}

std::string findings_text(const std::vector<Finding>& findings, const Terminal& terminal) {
  Table table;
  for (const Finding& finding : findings) {
    const auto detail = finding.remedy.empty() ? finding.detail : finding.detail + "; do: " + finding.remedy;
    table.add({mark(finding.verdict), {printable(finding.subject)}, {printable(detail)}});
  }
  return table.to_string(terminal);
}

std::string findings_json(const std::vector<Finding>& findings) {
  json::array all;
  for (const Finding& finding : findings) {
    all.push_back({{"verdict", kVerdictNames[static_cast<std::size_t>(finding.verdict)]},
                   {"subject", finding.subject},
                   {"detail", finding.detail},
                   {"remedy", finding.remedy}});
  }
  return json::serialize(json::object{{"findings", std::move(all)}}) + "\n";
}

base::Result<std::vector<Finding>> parse_findings(std::string_view text) {
  const auto refuse = [] { return base::fail(base::Errc::invalid, "these are no findings of fairlead check"); };
  json::error_code error;
  const json::value page = json::parse(text, error);
  const auto* const object = error ? nullptr : page.if_object();
  const auto* const all = object == nullptr ? nullptr : object->if_contains("findings");
  if (all == nullptr || !all->is_array()) return refuse();
  std::vector<Finding> findings;
  for (const json::value& item : all->get_array()) {
    if (!item.is_object()) return refuse();
    const auto word = [&](std::string_view name) {
      const auto* const value = item.get_object().if_contains(name);
      return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
    };
    const auto* const verdict = std::find(kVerdictNames.begin(), kVerdictNames.end(), word("verdict"));
    if (verdict == kVerdictNames.end()) return refuse();
    findings.push_back(
        {static_cast<Verdict>(verdict - kVerdictNames.begin()), word("subject"), word("detail"), word("remedy")});
  }
  return findings;
}

}  // namespace cli::check
