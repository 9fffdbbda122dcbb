#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/documents.h"
#include "config/finding.h"
#include "config/source_files.h"
#include "config/yaml/value.h"

namespace config {

// A document as it was read, good or not.
struct Candidate {
  std::string file;
  yaml::Mark mark;
  DocumentId id;                             // as far as it could be read; an empty name means it could not
  std::shared_ptr<const DocumentBody> body;  // none: refused, see `findings`
  bool is_partial = false;                   // some field is not enforced
  bool is_inactive = false;                  // nothing of it applies to a mesh client
  std::vector<Finding> findings;
};

using Candidates = std::vector<std::shared_ptr<const Candidate>>;

// Reads files into documents. Only what has changed is parsed: of a thousand files, the one that is edited.
class FileReader {
 public:
  // All documents of all files, in their order.
  Candidates read(std::span<const SourceFile> files);

 private:
  struct ReadFile {
    std::string text, problem;
    std::optional<std::string> own_domain;  // of the cluster, if its Settings say so
    std::string domain;                     // that its documents were read with
    Candidates candidates;
  };
  std::map<std::string, ReadFile> known_;  // by name
};

}  // namespace config
