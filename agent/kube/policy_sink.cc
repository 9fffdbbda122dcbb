#include "agent/kube/policy_sink.h"

#include <spdlog/spdlog.h>

#include <boost/json.hpp>

#include "agent/kube/documents.h"
#include "agent/kube/json_node.h"

namespace agent::kube {

PolicySink::PolicySink(Resource resource, std::string kind, config::ObjectStore& store, StatusWriter* status,
                       std::function<void()> changed)
    : resource_(std::move(resource)),
      kind_(std::move(kind)),
      store_(store),
      status_(status),
      changed_(std::move(changed)) {}

// In the version in which it came.
Resource PolicySink::resource_of(const boost::json::object& object) const {
  Resource resource = resource_;
  Complaint ignored;
  const std::string version = JsonNode(object, ignored)["apiVersion"].text();
  if (version.starts_with(resource.group + "/")) resource.version = version.substr(resource.group.size() + 1);
  return resource;
}

void PolicySink::replacing() {
  unlisted_.clear();
  for (const auto& [name, version] : known_) unlisted_.insert(name);
}

void PolicySink::replaced() {
  for (const Name& name : unlisted_) forget(name);
  unlisted_.clear();
  changed_();
}

void PolicySink::upsert(const boost::json::object& object) {
  const auto metadata = read_metadata(object);
  if (!metadata) {
    spdlog::error("{}", metadata.error().message);
    return;
  }
  const Name name{metadata->name_space, metadata->name};
  unlisted_.erase(name);
  Complaint ignored;
  Version version{.uid = metadata->uid,
                  .generation = JsonNode(object, ignored)["metadata"]["generation"].integer(0, INT64_MAX),
                  .labels = metadata->labels};
  const Resource resource = resource_of(object);
  const auto known = known_.find(name);
  if (known == known_.end() || version.generation == 0 || known->second != version) {
    store_.upsert(to_value(object, resource.group + "/" + resource.version, kind_));
    known_.insert_or_assign(name, std::move(version));
    changed_();
  }
  if (status_ != nullptr) {
    status_->set(resource, id(name), object, {.state = store_.state(id(name)), .findings = store_.findings(id(name))});
  }
}

void PolicySink::erase(const boost::json::object& object) {
  const auto metadata = read_metadata(object);
  if (!metadata) return;
  forget({metadata->name_space, metadata->name});
  changed_();
}

void PolicySink::forget(const Name& name) {
  known_.erase(name);
  store_.erase(id(name));
  if (status_ != nullptr) status_->erase(id(name));
}

}  // namespace agent::kube
