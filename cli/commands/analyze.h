#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/terminal.h"
#include "config/documents.h"
#include "config/finding.h"

namespace cli {

struct AnalyzeOptions {
  std::vector<std::string> paths;  // files, folders, - for standard input
};

// Reads documents as the agent would and prints what is wrong with them and between them. 1: something is wrong between
// them, 2: one of them (or a path) cannot be read.
int run_analyze(const AnalyzeOptions& options, const Terminal& terminal);

// Each file as it is named, of each folder what the agent would read.
base::Result<std::vector<config::SourceFile>> read_sources(const std::vector<std::string>& paths);

std::string finding_line(const config::Finding& finding, const Terminal& terminal);

}  // namespace cli
