#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/documents.h"
#include "config/yaml/value.h"

namespace config::istio {

struct ReadDocument {
  yaml::Mark mark;
  DocumentId id;                     // as far as it could be read; an empty name means it could not
  std::optional<DocumentBody> body;  // none: refused, see `findings`
  bool is_partial = false;           // some field is not enforced
  bool is_inactive = false;          // nothing of it applies to a mesh client
  std::vector<Finding> findings;
};

// One document of any kind. `cluster_domain` completes short host names.
ReadDocument read_document(const yaml::Value& value, const std::string& file, const std::string& cluster_domain);

// What is around the documents of a `List`; has no body.
ReadDocument read_list(const yaml::Value& value, const std::string& file);

// Kind, namespace and name, without looking at anything else.
DocumentId identify(const yaml::Value& value);

}  // namespace config::istio
