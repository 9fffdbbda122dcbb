#include "config/document_store.h"

#include <algorithm>
#include <boost/functional/hash.hpp>
#include <iterator>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "config/yaml/node.h"

namespace config {
namespace {

// Ids of documents, which outlive the table.
struct IdHash {
  std::size_t operator()(const DocumentId* id) const {
    std::size_t hash = 0;
    for (const std::string* part : {&id->kind, &id->name_space, &id->name}) boost::hash_combine(hash, *part);
    return hash;
  }
};
struct IdEqual {
  bool operator()(const DocumentId* a, const DocumentId* b) const { return *a == *b; }
};
using IdSet = std::unordered_set<const DocumentId*, IdHash, IdEqual>;

// A folder that is gone was the folder of its files.
bool is_within(const std::string& file, const std::string& path) {
  return file == path || (file.starts_with(path) && (path.ends_with('/') || file[path.size()] == '/'));
}

// The second document of the same kind, namespace and name is refused: which of two should count is not ours to guess.
void refuse_duplicates(Candidates& candidates) {
  static const DocumentId kSettings{.kind = "Settings", .name_space = {}, .name = {}};  // there is one for the node
  std::unordered_map<const DocumentId*, const Candidate*, IdHash, IdEqual> first;
  for (std::shared_ptr<const Candidate>& candidate : candidates) {
    if (candidate->id.name.empty() || !candidate->body) continue;
    const DocumentId& id = candidate->id.kind == kSettings.kind ? kSettings : candidate->id;
    const auto [existing, is_new] = first.emplace(&id, candidate.get());
    if (is_new) continue;
    const Candidate& kept = *existing->second;
    yaml::Report report(candidate->file, candidate->id.to_string());
    report.error_at(candidate->mark, "",
                    (id.name.empty() ? "the document Settings" : id.to_string()) + " is there already, at " +
                        kept.file + ":" + std::to_string(kept.mark.line) + "; remove one of them",
                    Reason::conflict);
    auto refused = std::make_shared<Candidate>(*candidate);
    refused->findings = report.take();
    refused->body.reset();
    candidate = std::move(refused);
  }
}

}  // namespace

std::string_view to_string(DocumentState state) {
  switch (state) {
    case DocumentState::active:
      return "active";
    case DocumentState::partial:
      return "partial";
    case DocumentState::rejected:
      return "rejected";
    case DocumentState::inactive:
      return "inactive";
  }
  return "active";
}

void DocumentStore::update(std::span<const SourceFile> files) {
  Candidates candidates = reader_.read(files);
  refuse_duplicates(candidates);

  IdSet good;
  std::set<std::string> incomplete;  // files with a document that does not even say what it is, folders not read
  for (const auto& candidate : candidates) {
    if (candidate->body) good.insert(&candidate->id);
    if (candidate->id.name.empty()) incomplete.insert(candidate->file);
  }

  Candidates in_force;
  IdSet kept;
  const auto keep_old = [&](const std::shared_ptr<const Candidate>& old) {
    if (good.contains(&old->id) || !kept.insert(&old->id).second) return false;
    in_force.push_back(old);
    return true;
  };
  std::vector<Finding> remarks;
  findings_.clear();
  statuses_.clear();
  for (const auto& candidate : candidates) {
    for (const Finding& finding : candidate->findings) {
      (finding.severity == Severity::error ? findings_ : remarks).push_back(finding);
    }
    DocumentStatus status{candidate->id, candidate->file, DocumentState::active, true};
    if (candidate->body) {
      in_force.push_back(candidate);
      if (candidate->is_partial) status.state = DocumentState::partial;
      if (candidate->is_inactive) status.state = DocumentState::inactive;
    } else {
      status.state = DocumentState::rejected;
      if (status.id.kind.empty()) status.id.kind = "unknown";
      const auto old = std::ranges::find_if(in_force_, [&](const auto& before) {
        return before->id == candidate->id && before->file == candidate->file;
      });
      status.is_in_force = old != in_force_.end() && keep_old(*old);
    }
    statuses_.push_back(std::move(status));
  }
  // One of the documents that are missing from such a file is probably the one that cannot be read; keep them all.
  for (const auto& old : in_force_) {
    const auto may_hide_it = [&](const std::string& path) { return is_within(old->file, path); };
    if (std::ranges::any_of(incomplete, may_hide_it) && keep_old(old)) {
      statuses_.push_back({old->id, old->file, DocumentState::rejected, true});
    }
  }

  std::move(remarks.begin(), remarks.end(), std::back_inserter(findings_));
  in_force_ = std::move(in_force);
  documents_ = {};
  for (const auto& document : in_force_) documents_.add(document->body);
}

namespace {

bool any_error(const std::vector<Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& finding) { return finding.severity == Severity::error; });
}

}  // namespace

bool DocumentStore::has_errors() const { return any_error(findings_); }
bool LoadResult::has_errors() const { return any_error(findings); }

LoadResult load_documents(std::span<const SourceFile> files) {
  DocumentStore store;
  store.update(files);
  return {store.documents(), store.findings()};
}

}  // namespace config
