#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace config {

enum class Severity : std::uint8_t {
  error,    // the document (or settings) is refused
  warning,  // accepted, but some of it has no effect or not the effect one expects
  info,
};

// Why a document was refused: label `reason` of fairlead_policy_rejects_total (OBSERVABILITY 4).
enum class Reason : std::uint8_t { none, syntax, schema, reference, conflict, unsupported };

std::string_view to_string(Severity severity);
std::string_view to_string(Reason reason);

// Codes of our own; codes of Istio's analyzers keep their names ("IST0101").
inline constexpr std::string_view kNotEnforced = "FL0001";        // a field that Fairlead does not enforce
inline constexpr std::string_view kNeverEjects = "FL0002";        // maxEjectionPercent rounds to no host
inline constexpr std::string_view kDeprecatedIgnored = "FL0003";  // Istio itself ignores it
inline constexpr std::string_view kDuplicateHost = "FL0004";      // two services declare one host
inline constexpr std::string_view kNoSuchPort = "FL0005";         // a destination's port does not exist
inline constexpr std::string_view kInvalidDocument = "FL0100";    // every error

// One thing somebody should know about one place in one document.
struct Finding {
  Severity severity = Severity::warning;
  Reason reason = Reason::none;
  std::string code;
  std::string document;  // "VirtualService default/greeter-service"; empty when not even that could be read
  std::string file;
  std::uint32_t line = 0;  // from 1; 0: the whole file, or an object that came without one
  std::uint32_t column = 0;
  std::string path;  // spec.http[0].timeout
  std::string message;

  // "policies/greeter.yaml:12:18: spec.http[0].timeout: "5" has no unit; write for example 500ms or 2s"
  [[nodiscard]] std::string to_string() const;
  bool operator==(const Finding&) const = default;
};

}  // namespace config
