#include "agent/telemetry/label_text.h"

#include "base/utf8.h"

namespace agent::telemetry {

void append_label_value(std::string& out, std::string_view value) {
  if (base::utf8_prefix(value) != value.size()) {
    out += "unknown";
    return;
  }
  for (const char c : value) {
    switch (c) {
      case '\\':
        out += "\\\\";
        break;
      case '"':
        out += "\\\"";
        break;
      case '\n':
        out += "\\n";
        break;
      default:
        out += c;
    }
  }
}

LabelText& LabelText::add(std::string_view name, std::string_view value) {
  if (!text_.empty()) text_ += ',';
  text_ += name;
  text_ += "=\"";
  append_label_value(text_, value);
  text_ += '"';
  return *this;
}

std::string label(std::string_view name, std::string_view value) { return LabelText().add(name, value).take(); }

std::string with_label(const std::string& labels, std::string_view name, std::string_view value) {
  return labels + ',' + label(name, value);
}

}  // namespace agent::telemetry
