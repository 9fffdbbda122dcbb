#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

// Expected failures are values. std::expected is C++23, so this wraps tl::expected behind the names we will keep.
namespace base {

enum class Errc {
  invalid,      // the input is wrong; the message says where and what is allowed
  not_found,    // what was named does not exist
  unavailable,  // would work at another time or on another machine
  permission,   // a privilege is missing; the message names it
  io,           // a system call failed; the message carries errno's text
};

struct Error {
  Errc code = Errc::invalid;
  std::string message;  // one line, ready to log
};

template <typename T = void>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(Errc code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

// `what` and the text of errno: "open /run/x: Permission denied".
[[nodiscard]] tl::unexpected<Error> fail_errno(std::string_view what);
[[nodiscard]] tl::unexpected<Error> fail_errno(std::string_view what, int error_number);

}  // namespace base
