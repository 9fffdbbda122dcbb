#include "cli/demo/metrics_page.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

namespace cli::demo {
namespace {

// Reads `"..."` with its escapes; advances `text` behind it.
std::optional<std::string> take_quoted(std::string_view& text) {
  if (!text.starts_with('"')) return std::nullopt;
  std::string value;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return value;
    }
    if (text[i] == '\\' && i + 1 < text.size()) {
      ++i;
      value += text[i] == 'n' ? '\n' : text[i];
    } else {
      value += text[i];
    }
  }
  return std::nullopt;
}

std::optional<Sample> parse_line(std::string_view line) {
  Sample sample;
  const auto name_end = line.find_first_of("{ ");
  if (line.starts_with('#') || name_end == std::string_view::npos) return std::nullopt;
  sample.name = std::string(line.substr(0, name_end));
  line.remove_prefix(name_end);
  if (line.starts_with('{')) {
    line.remove_prefix(1);
    while (!line.starts_with('}')) {
      const auto equals = line.find('=');
      if (equals == std::string_view::npos) return std::nullopt;
      std::string label(line.substr(0, equals));
      line.remove_prefix(equals + 1);
      auto value = take_quoted(line);
      if (!value) return std::nullopt;
      sample.labels.emplace(std::move(label), std::move(*value));
      if (line.starts_with(',')) line.remove_prefix(1);
    }
    line.remove_prefix(1);
  }
  const std::string number(line);
  char* end = nullptr;
  sample.value = std::strtod(number.c_str(), &end);
  if (end == number.c_str()) return std::nullopt;
  return sample;
}

std::string label(const Sample& sample, std::string_view name) {
  const auto found = sample.labels.find(name);
  return found == sample.labels.end() ? std::string() : found->second;
}

}  // namespace

std::vector<Sample> parse_metrics(std::string_view page) {
  std::vector<Sample> samples;
  while (!page.empty()) {
    const auto end = std::min(page.find('\n'), page.size());
    if (auto sample = parse_line(page.substr(0, end))) samples.push_back(std::move(*sample));
    page.remove_prefix(std::min(end + 1, page.size()));
  }
  return samples;
}

Sums sum_by(const std::vector<Sample>& samples, std::string_view name,
            const std::vector<std::pair<std::string, std::string>>& where, const std::vector<std::string>& by) {
  Sums sums;
  for (const auto& sample : samples) {
    const bool is_meant = sample.name == name && std::all_of(where.begin(), where.end(), [&](const auto& condition) {
                            return label(sample, condition.first) == condition.second;
                          });
    if (!is_meant) continue;
    std::vector<std::string> key;
    for (const auto& one : by) key.push_back(label(sample, one));
    sums[key] += sample.value;
  }
  return sums;
}

Sums difference(const Sums& before, const Sums& after) {
  Sums changed;
  for (const auto& [key, value] : after) {
    const auto old = before.find(key);
    const double added = value - (old == before.end() ? 0 : old->second);
    if (added != 0) changed[key] = added;
  }
  return changed;
}

}  // namespace cli::demo
