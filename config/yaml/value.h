#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace config::yaml {

// A place in a file, counted from 1 as editors do.
struct Mark {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  bool operator==(const Mark&) const = default;
};

// What a scalar without quotes means in YAML 1.1, which Kubernetes reads. A quoted scalar is always text.
enum class ScalarType : std::uint8_t { text, integer, number, boolean };

struct Member;

// One node of a document. Aliases are expanded, keys are text and unique.
struct Value {
  enum class Kind : std::uint8_t { null, scalar, sequence, mapping };

  Kind kind = Kind::null;
  bool is_quoted = false;  // quotes, a block scalar or the tag !!str
  Mark mark;
  std::string text;             // of a scalar
  std::vector<Value> items;     // of a sequence
  std::vector<Member> members;  // of a mapping, in their order

  // nullptr when this is not a mapping or has no such key.
  [[nodiscard]] const Value* find(std::string_view key) const;
  // REQUIRES: kind is scalar.
  [[nodiscard]] ScalarType scalar_type() const;
};

struct Member {
  std::string key;
  Mark mark;
  Value value;
};

}  // namespace config::yaml
