#pragma once

#include <string>
#include <string_view>

namespace agent::telemetry {

// Builds `a="x",b="y"` (no braces), the form in which label sets are kept and compared.
class LabelText {
 public:
  LabelText& add(std::string_view name, std::string_view value);
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string label(std::string_view name, std::string_view value);
std::string with_label(const std::string& labels, std::string_view name, std::string_view value);

// A value as both formats escape it. One that is not UTF-8 becomes `unknown`.
void append_label_value(std::string& out, std::string_view value);

}  // namespace agent::telemetry
