#include "config/document_store.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "config/yaml/node.h"

namespace config {
namespace {

// A folder that is gone was the folder of its files.
bool is_within(const std::string& file, const std::string& path) {
  return file == path || (file.starts_with(path) && (path.ends_with('/') || file[path.size()] == '/'));
}

// The second document of the same kind, namespace and name is refused: which of two should count is not ours to guess.
void refuse_duplicates(std::vector<Candidate>& candidates) {
  std::map<DocumentId, const Candidate*> first;
  for (Candidate& candidate : candidates) {
    DocumentId id = candidate.id;
    if (id.name.empty() || !candidate.body) continue;
    if (id.kind == "Settings") id.name_space = id.name = "";  // there is one for the node
    const auto [existing, is_new] = first.emplace(id, &candidate);
    if (is_new) continue;
    const Candidate& kept = *existing->second;
    yaml::Report report(candidate.file, candidate.id.to_string());
    report.error_at(candidate.mark, "",
                    (id.name.empty() ? "the document Settings" : id.to_string()) + " is there already, at " +
                        kept.file + ":" + std::to_string(kept.mark.line) + "; remove one of them",
                    Reason::conflict);
    candidate.findings = report.take();
    candidate.body.reset();
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
  std::vector<Candidate> candidates = reader_.read(files);
  refuse_duplicates(candidates);

  std::set<DocumentId> good;
  std::set<std::string> incomplete;  // files with a document that does not even say what it is, folders not read
  for (const Candidate& candidate : candidates) {
    if (candidate.body) good.insert(candidate.id);
    if (candidate.id.name.empty()) incomplete.insert(candidate.file);
  }

  std::vector<Entry> entries;
  std::set<DocumentId> kept;
  const auto keep_old = [&](const Entry& old) {
    if (good.contains(old.id) || !kept.insert(old.id).second) return false;
    entries.push_back(old);
    return true;
  };
  std::vector<Finding> remarks;
  findings_.clear();
  statuses_.clear();
  for (Candidate& candidate : candidates) {
    for (Finding& finding : candidate.findings) {
      (finding.severity == Severity::error ? findings_ : remarks).push_back(std::move(finding));
    }
    DocumentStatus status{candidate.id, candidate.file, DocumentState::active, true};
    if (candidate.body) {
      entries.push_back({candidate.id, candidate.file, candidate.body});
      if (candidate.is_partial) status.state = DocumentState::partial;
      if (candidate.is_inactive) status.state = DocumentState::inactive;
    } else {
      status.state = DocumentState::rejected;
      if (status.id.kind.empty()) status.id.kind = "unknown";
      const auto old = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
        return entry.id == candidate.id && entry.file == candidate.file;
      });
      status.is_in_force = old != entries_.end() && keep_old(*old);
    }
    statuses_.push_back(std::move(status));
  }
  // One of the documents that are missing from such a file is probably the one that cannot be read; keep them all.
  for (const Entry& old : entries_) {
    const bool may_be_hidden = std::any_of(incomplete.begin(), incomplete.end(),
                                           [&](const std::string& path) { return is_within(old.file, path); });
    if (may_be_hidden && keep_old(old)) {
      statuses_.push_back({old.id, old.file, DocumentState::rejected, true});
    }
  }

  std::move(remarks.begin(), remarks.end(), std::back_inserter(findings_));
  entries_ = std::move(entries);
  documents_ = {};
  for (const Entry& entry : entries_) documents_.add(*entry.body);
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
