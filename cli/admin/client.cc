#include "cli/admin/client.h"

#include "cli/http/client.h"

namespace cli::admin {

base::Result<std::string> fetch(const base::SocketAddress& address, const std::string& target) {
  auto response = http::get({.address = address, .target = target});
  if (!response) {
    return base::fail(base::Errc::unavailable, "no agent answers on " + address.to_string() + " (" +
                                                   response.error().message +
                                                   "); start one with `fairlead run -f DIR`, or say where it is with "
                                                   "--admin ADDRESS:PORT");
  }
  if (response->status != 200) {
    return base::fail(base::Errc::unavailable, "http://" + address.to_string() + target + " answers " +
                                                   std::to_string(response->status) + "; is it Fairlead's agent?");
  }
  return std::move(response->body);
}

}  // namespace cli::admin
