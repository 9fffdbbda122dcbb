#include "cli/demo/examples.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace cli::demo {

std::string_view example(std::string_view name) {
  for (const auto& candidate : examples()) {
    if (candidate.name == name) return candidate.text;
  }
  std::abort();  // a name in this program that is not in its own table
}

base::Result<> write_file(const std::string& path, std::string_view text) {
  std::FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return base::fail_errno("create " + path);
  const bool is_written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (std::fclose(file) != 0 || !is_written) return base::fail_errno("write " + path);
  return {};
}

base::Result<> write_examples(const std::string& directory) {
  for (const auto& file : examples()) {
    const auto path = std::filesystem::path(directory) / file.name;
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    if (auto written = write_file(path, file.text); !written) return written;
  }
  return {};
}

}  // namespace cli::demo
