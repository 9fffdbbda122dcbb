#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace cli::demo {

// A folder below /tmp (or $TMPDIR) that goes with this object, whatever is in it.
class TemporaryDirectory {
 public:
  static base::Result<TemporaryDirectory> create(std::string_view prefix);
  TemporaryDirectory(TemporaryDirectory&& other) noexcept;
  TemporaryDirectory& operator=(TemporaryDirectory&&) = delete;
  ~TemporaryDirectory();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  explicit TemporaryDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace cli::demo
