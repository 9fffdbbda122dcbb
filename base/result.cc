#include "base/result.h"

#include <cerrno>
#include <system_error>

namespace base {

tl::unexpected<Error> fail_errno(std::string_view what, int error_number) {
  const Errc code = error_number == EPERM || error_number == EACCES ? Errc::permission
                    : error_number == ENOENT                        ? Errc::not_found
                                                                    : Errc::io;
  return fail(code, std::string(what) + ": " + std::generic_category().message(error_number));
}

tl::unexpected<Error> fail_errno(std::string_view what) { return fail_errno(what, errno); }

}  // namespace base
