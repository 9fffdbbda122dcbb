#include "agent/kube/resource.h"

namespace agent::kube {
namespace {

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
  std::string encoded;
  for (const char c : text) {
    if (kPlain.find(c) != kPlain.npos) {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return encoded;
}

void add_query(std::string& target, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  target += target.find('?') == target.npos ? '?' : '&';
  target += key;
  target += '=';
  target += percent_encoded(value);
}

std::string selected(const Resource& resource) {
  std::string target = collection_path(resource);
  add_query(target, "labelSelector", resource.label_selector);
  add_query(target, "fieldSelector", resource.field_selector);
  return target;
}

}  // namespace

std::string to_string(const Resource& resource) {
  return resource.group.empty() ? resource.plural : resource.plural + "." + resource.group;
}

std::string collection_path(const Resource& resource) {
  std::string path = resource.group.empty() ? "/api/" : "/apis/" + percent_encoded(resource.group) + "/";
  path += percent_encoded(resource.version);
  if (!resource.name_space.empty()) path += "/namespaces/" + percent_encoded(resource.name_space);
  return path + "/" + percent_encoded(resource.plural);
}

std::string object_path(const Resource& resource, std::string_view name) {
  return collection_path(resource) + "/" + percent_encoded(name);
}

std::string list_target(const Resource& resource, std::size_t limit, std::string_view token) {
  std::string target = selected(resource);
  add_query(target, "limit", std::to_string(limit));
  add_query(target, "continue", token);
  return target;
}

std::string watch_target(const Resource& resource, std::string_view resource_version, std::chrono::seconds timeout) {
  std::string target = selected(resource);
  add_query(target, "watch", "1");
  add_query(target, "allowWatchBookmarks", "true");
  add_query(target, "resourceVersion", resource_version);
  add_query(target, "timeoutSeconds", std::to_string(timeout.count()));
  return target;
}

std::string_view list_media_type(const Resource& resource) {
  return resource.is_metadata_only ? "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
                                   : "application/json";
}

std::string_view watch_media_type(const Resource& resource) {
  return resource.is_metadata_only ? "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
                                   : "application/json";
}

}  // namespace agent::kube
