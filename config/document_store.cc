#include "config/document_store.h"

#include <algorithm>
#include <iterator>

#include "config/istio/read_document.h"
#include "config/yaml/node.h"
#include "config/yaml/parse.h"

namespace config {
namespace {

struct Candidate {
  istio::ReadDocument read;
  std::string file;
};

struct ParsedFile {
  const SourceFile* file = nullptr;
  std::vector<yaml::ParsedDocument> documents;
};

// A `List`, as kubectl prints it, holds documents; anything else is one itself.
bool is_list(const yaml::Value& value) { return istio::identify(value).kind == "List"; }

std::vector<const yaml::Value*> flatten(const yaml::Value& value) {
  if (!is_list(value)) return {&value};
  std::vector<const yaml::Value*> documents;
  if (const yaml::Value* items = value.find("items")) {
    for (const yaml::Value& item : items->items) documents.push_back(&item);
  }
  return documents;
}

istio::ReadDocument unreadable(const SourceFile& file, const yaml::SyntaxError& error) {
  istio::ReadDocument read;
  read.mark = error.mark;
  yaml::Report report(file.name, "");
  report.error_at(error.mark, error.path, error.message, Reason::syntax);
  read.findings = report.take();
  return read;
}

std::vector<yaml::ParsedDocument> unread(const SourceFile& file) {
  yaml::ParsedDocument document;
  document.error = yaml::SyntaxError{.mark = {.line = 0, .column = 0}, .message = file.problem};
  return {document};
}

// A folder that is gone was the folder of its files.
bool is_within(const std::string& file, const std::string& path) {
  return file == path || (file.starts_with(path) && (path.ends_with('/') || file[path.size()] == '/'));
}

std::string domain_of(const std::vector<ParsedFile>& files) {
  for (const ParsedFile& file : files) {
    for (const yaml::ParsedDocument& document : file.documents) {
      if (!document.value) continue;
      for (const yaml::Value* value : flatten(*document.value)) {
        if (istio::identify(*value).kind != "Settings") continue;
        const auto read = istio::read_document(*value, file.file->name, "");
        if (read.body) return std::get<Settings>(*read.body).cluster_domain;
      }
    }
  }
  return Settings{}.cluster_domain;
}

std::vector<Candidate> read_all(std::span<const SourceFile> files) {
  std::vector<ParsedFile> parsed;
  for (const SourceFile& file : files) {
    parsed.push_back({&file, file.problem.empty() ? yaml::parse(file.text) : unread(file)});
  }
  const std::string domain = domain_of(parsed);
  std::vector<Candidate> candidates;
  for (const ParsedFile& file : parsed) {
    for (const yaml::ParsedDocument& document : file.documents) {
      if (document.error) {
        candidates.push_back({unreadable(*file.file, *document.error), file.file->name});
        continue;
      }
      if (is_list(*document.value)) {
        auto list = istio::read_list(*document.value, file.file->name);
        if (!list.findings.empty()) candidates.push_back({std::move(list), file.file->name});
      }
      for (const yaml::Value* value : flatten(*document.value)) {
        candidates.push_back({istio::read_document(*value, file.file->name, domain), file.file->name});
      }
    }
  }
  return candidates;
}

// The second document of the same kind, namespace and name is refused: which of two should count is not ours to guess.
void refuse_duplicates(std::vector<Candidate>& candidates) {
  std::map<DocumentId, const Candidate*> first;
  for (Candidate& candidate : candidates) {
    DocumentId id = candidate.read.id;
    if (id.name.empty() || !candidate.read.body) continue;
    if (id.kind == "Settings") id.name_space = id.name = "";  // there is one for the node
    const auto [existing, is_new] = first.emplace(id, &candidate);
    if (is_new) continue;
    const Candidate& kept = *existing->second;
    yaml::Report report(candidate.file, candidate.read.id.to_string());
    report.error_at(candidate.read.mark, "",
                    (id.name.empty() ? "the document Settings" : id.to_string()) + " is there already, at " +
                        kept.file + ":" + std::to_string(kept.read.mark.line) + "; remove one of them",
                    Reason::conflict);
    candidate.read.findings = report.take();
    candidate.read.body.reset();
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
  std::vector<Candidate> candidates = read_all(files);
  refuse_duplicates(candidates);

  std::set<DocumentId> good;
  std::set<std::string> incomplete;  // files with a document that does not even say what it is, folders not read
  for (const Candidate& candidate : candidates) {
    if (candidate.read.body) good.insert(candidate.read.id);
    if (candidate.read.id.name.empty()) incomplete.insert(candidate.file);
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
    istio::ReadDocument& read = candidate.read;
    for (Finding& finding : read.findings) {
      (finding.severity == Severity::error ? findings_ : remarks).push_back(std::move(finding));
    }
    DocumentStatus status{read.id, candidate.file, DocumentState::active, true};
    if (read.body) {
      entries.push_back({read.id, candidate.file, std::make_shared<const DocumentBody>(*std::move(read.body))});
      if (read.is_partial) status.state = DocumentState::partial;
      if (read.is_inactive) status.state = DocumentState::inactive;
    } else {
      status.state = DocumentState::rejected;
      if (status.id.kind.empty()) status.id.kind = "unknown";
      const auto old = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
        return entry.id == read.id && entry.file == candidate.file;
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
