#pragma once

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "config/documents.h"
#include "config/file_reader.h"

namespace config {

enum class DocumentState : std::uint8_t {
  active,    // all of it is enforced
  partial,   // some field is not enforced
  rejected,  // refused; `is_in_force` says whether an earlier version still is
  inactive,  // accepted, but nothing of it applies here
};

std::string_view to_string(DocumentState state);

struct DocumentStatus {
  DocumentId id;  // the kind may be "unknown" when it could not be read
  std::string file;
  DocumentState state = DocumentState::active;
  bool is_in_force = true;
};

// Keeps the last good version of every document. Pure: whoever watches the files calls `update`.
class DocumentStore {
 public:
  // `files` is everything there is now; a file that is missing was deleted, and its documents with it.
  void update(std::span<const SourceFile> files);

  // The documents in force.
  [[nodiscard]] const Documents& documents() const { return documents_; }
  // Of the last update: every error and every finding about a document that was read.
  [[nodiscard]] const std::vector<Finding>& findings() const { return findings_; }
  [[nodiscard]] const std::vector<DocumentStatus>& statuses() const { return statuses_; }
  [[nodiscard]] bool has_errors() const;

 private:
  FileReader reader_;
  Candidates in_force_;  // in document order
  Documents documents_;  // their bodies
  std::vector<Finding> findings_;
  std::vector<DocumentStatus> statuses_;
};

}  // namespace config
