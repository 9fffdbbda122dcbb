#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "config/documents.h"

namespace agent {

// The files and folders that `-f` names: reads them, and says when they may have changed. A folder means its *.yaml and
// *.yml files, without those that begin with a dot. No thread of its own.
class DocumentFiles {
 public:
  // Fails when something named does not exist.
  static base::Result<DocumentFiles> open(std::vector<std::string> paths);

  // Everything there is now, in the order named and by name within a folder.
  base::Result<std::vector<config::SourceFile>> read() const;

  // Readable after a change: a write, an editor's rename over a file, a ConfigMap's symbolic link turned over.
  [[nodiscard]] int fd() const { return watch_.get(); }
  // Takes the pending events; true when one of them concerns us.
  bool take_changes();

 private:
  base::Result<> watch(const std::string& path);

  std::vector<std::string> paths_;
  base::UniqueFd watch_;
};

}  // namespace agent
