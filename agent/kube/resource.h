#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace agent::kube {

// Which objects: all of one kind, or those that the selectors choose.
struct Resource {
  std::string group;  // empty: Kubernetes' core
  std::string version;
  std::string plural;
  std::string name_space = {};  // empty: all
  std::string label_selector = {};
  std::string field_selector = {};
  // Asked for in this order where `version` does not exist.
  std::vector<std::string> older_versions = {};
  bool is_metadata_only = false;  // PartialObjectMetadata: labels without the spec that nobody reads
};

// "pods", "virtualservices.networking.istio.io".
std::string to_string(const Resource& resource);

// "/apis/networking.istio.io/v1/namespaces/a/virtualservices".
std::string collection_path(const Resource& resource);
// Of one of them; a namespaced kind wants `resource.name_space`.
std::string object_path(const Resource& resource, std::string_view name);

// `token` continues a list whose last page said so.
std::string list_target(const Resource& resource, std::size_t limit, std::string_view token);
std::string watch_target(const Resource& resource, std::string_view resource_version, std::chrono::seconds timeout);

// For Accept.
std::string_view list_media_type(const Resource& resource);
std::string_view watch_media_type(const Resource& resource);

}  // namespace agent::kube
