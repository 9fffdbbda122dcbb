#include "config/yaml/schema.h"

#include <algorithm>
#include <string>
#include <vector>

#include "config/yaml/duration.h"

namespace config::yaml {
namespace {

std::string quoted(std::string_view text) {
  const bool is_long = text.size() > 60;
  return "\"" + std::string(text.substr(0, 60)) + (is_long ? "...\"" : "\"");
}

std::string shortened(const std::string& text) { return text.size() > 60 ? text.substr(0, 60) + "..." : text; }

std::string describe(const Value& value) {
  switch (value.kind) {
    case Value::Kind::null:
      return "nothing";
    case Value::Kind::sequence:
      return "a list";
    case Value::Kind::mapping:
      return "a mapping";
    case Value::Kind::scalar:
      break;
  }
  switch (value.scalar_type()) {
    case ScalarType::text:
      return quoted(value.text) + (value.is_quoted ? " is quoted text" : " is text");
    case ScalarType::integer:
    case ScalarType::number:
      return shortened(value.text) + " is a number";
    case ScalarType::boolean:
      return value.text + " is a boolean";
  }
  return quoted(value.text);
}

std::string is_a(const Value& value) {
  return value.kind == Value::Kind::scalar ? describe(value) : "this is " + describe(value);
}

// YAML 1.1 reads 010 as 8, YAML 1.2 as 10.
bool has_leading_zero(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9';
}

std::string range(const Field& field) {
  if (field.min == Field::kNoMin && field.max == Field::kNoMax) return "what fits into 64 bits";
  if (field.min != Field::kNoMin && field.max != Field::kNoMax) {
    return std::to_string(field.min) + " to " + std::to_string(field.max);
  }
  if (field.min != Field::kNoMin) return "at least " + std::to_string(field.min);
  return "at most " + std::to_string(field.max);
}

std::string join(std::span<const std::string_view> words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
    text += words[i];
  }
  return text;
}

void check_text(const Node& node, bool is_required, Report& report) {
  const Value& value = *node.value();
  if (value.kind != Value::Kind::scalar) {
    report.error(node, is_a(value) + "; text is expected");
  } else if (value.scalar_type() != ScalarType::text) {
    report.error(node, describe(value) + " where text is expected; put it in quotes: \"" + value.text + "\"");
  } else if (is_required && value.text.empty()) {
    report.error(node, "is empty; a value is required");
  }
}

void check_integer(const Node& node, const Field& field, Report& report) {
  const Value& value = *node.value();
  if (value.kind != Value::Kind::scalar || value.scalar_type() != ScalarType::integer) {
    report.error(node, is_a(value) + "; a whole number without quotes is expected");
  } else if (has_leading_zero(value.text)) {
    report.error(node, quoted(value.text) + " begins with 0, which some take for octal; write it without");
  } else if (const auto number = read_integer(value); !number || *number < field.min || *number > field.max) {
    report.error(node, shortened(value.text) + " is out of range; allowed is " + range(field));
  }
}

void check_number(const Node& node, const Field& field, Report& report) {
  const Value& value = *node.value();
  const bool is_number = value.kind == Value::Kind::scalar &&
                         (value.scalar_type() == ScalarType::integer || value.scalar_type() == ScalarType::number);
  const auto number = read_number(value);
  if (!is_number) {
    report.error(node, is_a(value) + "; a number without quotes is expected");
  } else if (!number || *number < static_cast<double>(field.min) || *number > static_cast<double>(field.max)) {
    report.error(node, shortened(value.text) + " is out of range; allowed is " + range(field));
  }
}

void check_boolean(const Node& node, Report& report) {
  const Value& value = *node.value();
  if (read_boolean(value)) return;
  if (value.kind == Value::Kind::scalar && value.scalar_type() == ScalarType::boolean) {
    report.error(node, quoted(value.text) + " must be written as true or false");
  } else {
    report.error(node, is_a(value) + "; true or false is expected");
  }
}

void check_duration(const Node& node, const Field& field, Report& report) {
  const Value& value = *node.value();
  if (value.kind != Value::Kind::scalar) {
    report.error(node, is_a(value) + "; a duration such as 500ms or 2s is expected");
    return;
  }
  const auto parsed = parse_duration(value.text);
  if (!parsed) {
    report.error(node, parsed.error());
    return;
  }
  const std::int64_t min = field.min == Field::kNoMin ? 1 : field.min;
  const auto millisecond = std::chrono::nanoseconds{1'000'000};
  if (value.text == "0" || value.text == "+0" || value.text == "-0") {
    report.error(node, quoted(value.text) + " has no unit; write for example 500ms or 2s");
  } else if (*parsed < std::chrono::milliseconds{min}) {
    const std::string unset = min == 1 ? "; leave the field out for no limit" : "";
    report.error(node, quoted(value.text) + " is too short; allowed is at least " + std::to_string(min) + "ms" + unset);
  } else if (field.max != Field::kNoMax && *parsed > std::chrono::milliseconds{field.max}) {
    report.error(node, quoted(value.text) + " is too long; allowed is at most " + std::to_string(field.max) + "ms");
  } else if (parsed->count() % millisecond.count() != 0) {
    report.error(node, quoted(value.text) + " is finer than a millisecond; write a whole number of milliseconds");
  }
}

void check_word(const Node& node, const Field& field, Report& report) {
  const Value& value = *node.value();
  if (value.kind == Value::Kind::scalar &&
      std::find(field.words.begin(), field.words.end(), value.text) != field.words.end()) {
    return;
  }
  std::string message = value.kind == Value::Kind::scalar ? quoted(value.text) + " is not known" : is_a(value);
  if (value.kind == Value::Kind::scalar) {
    if (const auto near = nearest_name(value.text, field.words); !near.empty()) {
      message += "; did you mean " + std::string(near) + "?";
    }
  }
  report.error(node, message + (message.ends_with("?") ? " Allowed: " : "; allowed: ") + join(field.words));
}

void check_field(const Node& node, const Field& field, Report& report);

void check_list(const Node& node, const Field& field, Report& report) {
  if (node.value()->kind != Value::Kind::sequence) {
    report.error(node, is_a(*node.value()) + "; a list is expected");
    return;
  }
  Field element = field;
  element.support = Support::enforced;
  element.is_required = false;
  element.type = field.type == Type::text_list      ? Type::text
                 : field.type == Type::integer_list ? Type::integer
                                                    : Type::object;
  for (const Node& item : node.items()) {
    if (!item) {
      report.error(item, "this element is empty; remove it or give it a value");
    } else {
      check_field(item, element, report);
    }
  }
}

void check_map(const Node& node, const Field& field, Report& report) {
  if (node.value()->kind != Value::Kind::mapping) {
    report.error(node, is_a(*node.value()) + "; a mapping is expected");
    return;
  }
  Field element = field;
  element.support = Support::enforced;
  element.is_required = false;
  element.type = field.type == Type::text_map      ? Type::text
                 : field.type == Type::integer_map ? Type::integer
                                                   : Type::object;
  for (const auto& [key, item] : node.members()) {
    if (item) check_field(item, element, report);
  }
}

void check_field(const Node& node, const Field& field, Report& report) {
  switch (field.type) {
    case Type::any:
      break;
    case Type::text:
      check_text(node, field.is_required, report);
      break;
    case Type::integer:
      check_integer(node, field, report);
      break;
    case Type::number:
      check_number(node, field, report);
      break;
    case Type::boolean:
      check_boolean(node, report);
      break;
    case Type::duration:
      check_duration(node, field, report);
      break;
    case Type::word:
      check_word(node, field, report);
      break;
    case Type::object:
      check(node, field.fields, report);
      break;
    case Type::text_list:
    case Type::integer_list:
    case Type::object_list:
      check_list(node, field, report);
      break;
    case Type::text_map:
    case Type::integer_map:
    case Type::object_map:
      check_map(node, field, report);
      break;
  }
}

// Letters left out, added, exchanged or swapped with their neighbour; case does not count.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  const auto is_same = [&](std::size_t i, std::size_t j) { return lower(a[i - 1]) == lower(b[j - 1]); };
  std::vector<std::vector<std::size_t>> rows(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        rows[i][j] = i + j;
        continue;
      }
      rows[i][j] = std::min({rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (is_same(i, j) ? 0 : 1)});
      if (i > 1 && j > 1 && is_same(i, j - 1) && is_same(i - 1, j)) {
        rows[i][j] = std::min(rows[i][j], rows[i - 2][j - 2] + 1);
      }
    }
  }
  return rows[a.size()][b.size()];
}

}  // namespace

std::string_view nearest_name(std::string_view name, std::span<const std::string_view> candidates) {
  if (name.size() > 64) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(name.size() / 3, 1) + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

void check(const Node& node, std::span<const Field> fields, Report& report) {
  if (node.value()->kind != Value::Kind::mapping) {
    report.error(node, is_a(*node.value()) + "; a mapping is expected");
    return;
  }
  for (const Member& member : node.value()->members) {
    const auto field = std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.name == member.key; });
    if (field == fields.end()) {
      std::vector<std::string_view> names;
      for (const Field& known : fields) names.push_back(known.name);
      std::string message = "is not a known field";
      if (const auto near = nearest_name(member.key, names); !near.empty()) {
        message += "; did you mean " + std::string(near) + "?";
      } else {
        std::sort(names.begin(), names.end());
        message += "; known here: " + join(names);
      }
      report.error_at(member.mark, node[member.key].path(), std::move(message));
      continue;
    }
    const Node child = node[member.key];
    if (!child) continue;
    check_field(child, *field, report);
    if (field->support == Support::not_enforced) {
      std::string message = "is not enforced by this version of Fairlead";
      if (!field->note.empty()) message += ": " + std::string(field->note);
      report.warn_at(kNotEnforced, member.mark, child.path(), std::move(message));
    }
  }
  for (const Field& field : fields) {
    if (field.is_required && !node[field.name]) {
      report.error(node, std::string(field.name) + " is missing and required");
    }
  }
}

}  // namespace config::yaml
