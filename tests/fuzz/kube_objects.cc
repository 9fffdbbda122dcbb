#include <boost/json.hpp>
#include <cstddef>
#include <cstdint>
#include <string>

#include "agent/kube/objects.h"
#include "tests/fuzz/require.h"

using fuzz::require;

namespace {

template <typename T>
void require_sound(const base::Result<T>& result) {
  if (result) return;
  const std::string& message = result.error().message;
  require(!message.empty() && message.size() <= 500, "a refusal says why, in a bounded line");
  for (const char c : message) require(static_cast<unsigned char>(c) >= ' ', "and only one line");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  boost::system::error_code error;
  const auto value = boost::json::parse({reinterpret_cast<const char*>(data), size}, error);
  const auto* object = error ? nullptr : value.if_object();
  if (object == nullptr) return 0;
  require_sound(agent::kube::read_namespace(*object));
  require_sound(agent::kube::read_pod(*object));
  require_sound(agent::kube::read_service(*object));
  const auto slice = agent::kube::read_endpoint_slice(*object);
  require_sound(slice);
  require(!slice || !slice->is_fqdn || slice->endpoints.empty(), "host names are not endpoints");
  const auto metadata = agent::kube::read_metadata(*object);
  require(!metadata || !metadata->name.empty(), "every object has a name");
  return 0;
}
