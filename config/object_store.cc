#include "config/object_store.h"

#include <algorithm>

#include "config/istio/read_document.h"

namespace config {

ObjectStore::ObjectStore(std::string source, std::string cluster_domain)
    : source_(std::move(source)), cluster_domain_(std::move(cluster_domain)) {}

bool ObjectStore::upsert(const yaml::Value& object) {
  istio::ReadDocument read = istio::read_document(object, source_, cluster_domain_);
  Entry& entry = entries_[read.id];
  entry.findings = std::move(read.findings);
  if (!read.body) {
    entry.state = DocumentState::rejected;
    const auto first = std::find_if(entry.findings.begin(), entry.findings.end(),
                                    [](const Finding& finding) { return finding.severity == Severity::error; });
    ++rejects_[{read.id.kind, first == entry.findings.end() ? Reason::schema : first->reason}];
    return false;
  }
  entry.body = std::make_shared<const DocumentBody>(*std::move(read.body));
  entry.state = read.is_inactive  ? DocumentState::inactive
                : read.is_partial ? DocumentState::partial
                                  : DocumentState::active;
  return true;
}

void ObjectStore::erase(const DocumentId& id) { entries_.erase(id); }

void ObjectStore::add_to(Documents& documents) const {
  for (const auto& [id, entry] : entries_) {
    if (entry.body) documents.add(entry.body);
  }
}

std::vector<Finding> ObjectStore::findings() const {
  std::vector<Finding> all;
  for (const auto& [id, entry] : entries_) all.insert(all.end(), entry.findings.begin(), entry.findings.end());
  return all;
}

std::vector<Finding> ObjectStore::findings(const DocumentId& id) const {
  const auto found = entries_.find(id);
  return found == entries_.end() ? std::vector<Finding>() : found->second.findings;
}

std::vector<DocumentStatus> ObjectStore::statuses() const {
  std::vector<DocumentStatus> all;
  for (const auto& [id, entry] : entries_) all.push_back({id, source_, entry.state, entry.body != nullptr});
  return all;
}

DocumentState ObjectStore::state(const DocumentId& id) const {
  const auto found = entries_.find(id);
  return found == entries_.end() ? DocumentState::inactive : found->second.state;
}

std::vector<ObjectStore::Rejects> ObjectStore::rejects() const {
  std::vector<Rejects> all;
  for (const auto& [key, count] : rejects_) all.push_back({key.first, key.second, count});
  return all;
}

}  // namespace config
