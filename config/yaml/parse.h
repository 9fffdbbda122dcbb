#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/yaml/value.h"

namespace config::yaml {

// Bounds on what one file may ask for, so that a hostile document costs no more than a large honest one.
struct Limits {
  std::size_t max_file_bytes = std::size_t{8} * 1024 * 1024;
  std::size_t max_nodes = 200'000;  // of one document, after aliases are expanded
  std::size_t max_depth = 64;
};

struct SyntaxError {
  Mark mark;
  std::string message;
  std::string path = {};  // of the field, where what is read so far says which it is
  bool operator==(const SyntaxError&) const = default;
};

// One document of a stream: a value, or why it could not be read. Documents are split at their `---` lines first, so
// that a mistake in one does not hide the others.
struct ParsedDocument {
  Mark mark;  // its first line
  std::optional<Value> value;
  std::optional<SyntaxError> error;
};

// Empty documents are left out. JSON is YAML and is read the same way.
std::vector<ParsedDocument> parse(std::string_view text, const Limits& limits = {});

}  // namespace config::yaml
