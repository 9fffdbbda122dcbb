#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "agent/kube/objects.h"
#include "agent/kube/reflector.h"
#include "agent/kube/resource.h"
#include "agent/kube/status/status_writer.h"
#include "config/object_store.h"

namespace agent::kube {

// Policies of one kind go through the strict reader, like files, and what it says goes to whoever writes it on them.
// A version that differs in nothing that is read (its status, its annotations) changes nothing.
class PolicySink final : public ObjectSink {
 public:
  // `status` may be nullptr: nobody writes. All of them outlive it.
  PolicySink(Resource resource, std::string kind, config::ObjectStore& store, StatusWriter* status,
             std::function<void()> changed);

  void replacing() override;
  void replaced() override;
  void upsert(const boost::json::object& object) override;
  void erase(const boost::json::object& object) override;

 private:
  using Name = std::pair<std::string, std::string>;  // namespace, name
  struct Version {
    std::string uid;
    std::int64_t generation = 0;  // of the spec
    Labels labels;
    bool operator==(const Version&) const = default;
  };
  [[nodiscard]] Resource resource_of(const boost::json::object& object) const;
  [[nodiscard]] config::DocumentId id(const Name& name) const { return {kind_, name.first, name.second}; }
  void forget(const Name& name);

  Resource resource_;
  std::string kind_;
  config::ObjectStore& store_;
  StatusWriter* status_;
  std::function<void()> changed_;
  std::map<Name, Version> known_;
  std::set<Name> unlisted_;  // while a list is read
};

}  // namespace agent::kube
