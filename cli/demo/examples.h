#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cli::demo {

// A file of deploy/examples, as it was when this program was built.
struct Example {
  std::string_view name;  // "policies/timeout.yaml"
  std::string_view text;
};
std::span<const Example> examples();

// REQUIRES: there is such an example.
std::string_view example(std::string_view name);

// Writes all of them below `directory`, which exists.
base::Result<> write_examples(const std::string& directory);
base::Result<> write_file(const std::string& path, std::string_view text);

}  // namespace cli::demo
