#pragma once

#include <span>
#include <string>
#include <vector>

#include "config/documents.h"

namespace config {

// A folder's documents: its *.yaml and *.yml files, without those that begin with a dot.
bool is_document_name(std::string_view name);

// Everything that these files and folders hold now, in the order named and by name within a folder. What is named and
// cannot be read is among it and says why; what goes from a folder while it is read was never there.
std::vector<SourceFile> read_source_files(std::span<const std::string> paths);

}  // namespace config
