#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "config/source_files.h"

namespace agent {

// The files and folders that `-f` names: reads them, and says when they may have changed. No thread of its own.
class DocumentFiles {
 public:
  // Fails when something named does not exist.
  static base::Result<DocumentFiles> open(std::vector<std::string> paths);

  [[nodiscard]] std::vector<config::SourceFile> read() const { return config::read_source_files(paths_); }

  // Readable after a change: a write, an editor's rename over a file, a ConfigMap's symbolic link turned over, a folder
  // put in the place of another.
  [[nodiscard]] int fd() const { return watch_.get(); }
  // Takes the pending events; true when one of them concerns us.
  bool take_changes();

 private:
  // Watches whatever the paths lead to now.
  void watch_all();
  void watch_target(const std::string& path);
  void watch(const std::string& folder, const std::string& name);

  std::vector<std::string> paths_;
  base::UniqueFd watch_;
  // Which names in a watched folder concern us, by watch descriptor. The empty name: all.
  std::map<int, std::vector<std::string>> names_;
};

}  // namespace agent
