#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "config/yaml/node.h"

// What a document may contain, as data: every field of a kind is in a table, so that an unknown key is an error and a
// field that is not enforced is named. Only what a table cannot say (two fields that exclude each other) is code.
namespace config::yaml {

enum class Type : std::uint8_t {
  any,  // whatever it is, it is not looked at (status, managedFields)
  text,
  integer,
  number,
  boolean,
  duration,  // min and max in milliseconds
  word,      // one of `words`
  object,
  text_list,
  integer_list,
  object_list,
  text_map,
  integer_map,
  object_map,
};

enum class Support : std::uint8_t {
  enforced,
  not_enforced,  // understood and checked, but without effect: reported by name
};

// In the order in which one writes a row, not the one that packs best.
struct Field {  // NOLINT(clang-analyzer-optin.performance.Padding)
  static constexpr std::int64_t kNoMin = std::numeric_limits<std::int64_t>::min();
  static constexpr std::int64_t kNoMax = std::numeric_limits<std::int64_t>::max();

  std::string_view name;
  Type type = Type::text;
  std::span<const Field> fields{};            // of object, object_list and object_map
  std::span<const std::string_view> words{};  // of word
  std::int64_t min = kNoMin;                  // of numbers, of each in a list or map; a duration's default is 1
  std::int64_t max = kNoMax;
  bool is_required = false;  // must be there; text must not be empty
  Support support = Support::enforced;
  std::string_view note{};  // with not_enforced: what it means for the user
};

// Reports every field of `node` that is unknown, has the wrong type or is out of range, and (once for each block) every
// one that is not enforced.
void check(const Node& node, std::span<const Field> fields, Report& report);

// The name in `candidates` that `name` was probably meant to be; empty when none is near.
std::string_view nearest_name(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace config::yaml
