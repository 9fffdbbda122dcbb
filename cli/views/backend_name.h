#pragma once

#include <string>
#include <string_view>

namespace cli {

struct BackendName {
  std::string host, port, subset;
};

// outbound|3000|v1|host. What has another form is all host.
BackendName split_backend_name(std::string_view name);

}  // namespace cli
