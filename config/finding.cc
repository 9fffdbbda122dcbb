#include "config/finding.h"

namespace config {

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::error:
      return "error";
    case Severity::warning:
      return "warning";
    case Severity::info:
      return "info";
  }
  return "info";
}

std::string_view to_string(Reason reason) {
  switch (reason) {
    case Reason::none:
      return "none";
    case Reason::syntax:
      return "syntax";
    case Reason::schema:
      return "schema";
    case Reason::reference:
      return "reference";
    case Reason::conflict:
      return "conflict";
    case Reason::unsupported:
      return "unsupported";
  }
  return "none";
}

std::string Finding::to_string() const {
  std::string text = file;
  if (line != 0) {
    text += ":" + std::to_string(line) + ":" + std::to_string(column);
  } else if (!document.empty()) {  // an object of an API server
    text += (text.empty() ? "" : ": ") + document;
  }
  if (!text.empty()) text += ": ";
  if (!path.empty()) text += path + ": ";
  return text + message;
}

}  // namespace config
