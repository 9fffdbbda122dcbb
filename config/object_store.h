#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/document_store.h"
#include "config/documents.h"
#include "config/yaml/value.h"

namespace config {

// Keeps the last good version of every object of an API server, where they come and go one by one. Pure; the
// counterpart of DocumentStore, which reads files.
class ObjectStore {
 public:
  // `source` stands for the file in findings. `cluster_domain` completes short host names.
  explicit ObjectStore(std::string source, std::string cluster_domain);

  // A version that is refused leaves the last good one in force. False: it was refused.
  bool upsert(const yaml::Value& object);
  void erase(const DocumentId& id);

  // The documents in force, added to `documents`.
  void add_to(Documents& documents) const;
  // Of every object as it is now, also of the versions that were refused.
  [[nodiscard]] std::vector<Finding> findings() const;
  [[nodiscard]] std::vector<Finding> findings(const DocumentId& id) const;
  [[nodiscard]] std::vector<DocumentStatus> statuses() const;
  // Of one that was upserted.
  [[nodiscard]] DocumentState state(const DocumentId& id) const;
  // How often an object was refused since the start.
  struct Rejects {
    std::string kind;
    Reason reason;
    std::uint64_t count;
  };
  [[nodiscard]] std::vector<Rejects> rejects() const;

 private:
  struct Entry {
    std::shared_ptr<const DocumentBody> body;  // last good
    DocumentState state = DocumentState::active;
    std::vector<Finding> findings;
  };
  std::string source_, cluster_domain_;
  std::map<DocumentId, Entry> entries_;
  std::map<std::pair<std::string, Reason>, std::uint64_t> rejects_;
};

}  // namespace config
