#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace agent::kube {

// Why a request did not bring what was asked for.
struct ApiError {
  enum class Kind : std::uint8_t {
    connection,  // no answer, or only a part of one
    silence,     // a watch on which nothing came, not even a bookmark
    refused,     // the API server said no: status, reason
    malformed,   // what came is not what the API promises
    too_large,   // the answer is larger than the limit; less may be asked for
    closed,      // by us
  };
  Kind kind = Kind::connection;
  unsigned status = 0;  // of HTTP; 0 unless refused
  std::string reason;   // Kubernetes' word for it: "Expired", "Forbidden"
  std::string message;  // one line, ready to log
  std::optional<std::chrono::seconds> retry_after;
};

template <typename T>
using ApiResult = tl::expected<T, ApiError>;

// Of an answer other than 2xx, whose body is a Status object if the API server itself gave it.
ApiError refusal(unsigned status, std::string_view body);

// Of a body, or of the object in an ERROR event. What of it goes into a log is bounded and has no control characters.
std::string printable(std::string_view text);

}  // namespace agent::kube
