#include "agent/admin/common.h"

#include <sys/utsname.h>

#include "config/model/policy.h"

namespace agent::admin {

boost::json::value limit(std::uint32_t value) {
  return value == config::ConnectionPoolPolicy::kUnlimited ? boost::json::value(nullptr) : boost::json::value(value);
}

std::string kernel_release() {
  utsname name{};
  return ::uname(&name) == 0 ? name.release : "";
}

}  // namespace agent::admin
