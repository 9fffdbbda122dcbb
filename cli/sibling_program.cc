#include "cli/sibling_program.h"

#include <filesystem>
#include <system_error>

namespace cli {

std::string sibling_program(const std::string& name) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return name;
  const auto sibling = self.parent_path() / name;
  return std::filesystem::exists(sibling, error) ? sibling.string() : name;
}

}  // namespace cli
