#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

// Folders of a bpf file system. What is pinned there outlives its maker.
namespace agent::pins {

// Makes `folder` and mounts a bpf file system on its parent if there is none. A parent with files in it is not mounted
// over.
base::Result<> prepare(const std::string& folder);
base::Result<> make_folder(const std::string& folder);

// What is pinned below `folder` is the caller's alone, of all processes, as long as the descriptor is open.
// Errc::unavailable when another one has it.
base::Result<base::UniqueFd> claim(const std::string& folder);

// Names in a folder; none when it does not exist.
std::vector<std::string> list(const std::string& folder);

// Removes a file, or a folder with what is below it. Removing the pin of a link detaches its program. Good when there
// is nothing.
base::Result<> remove(const std::string& path);

}  // namespace agent::pins
