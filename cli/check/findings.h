#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/check/judge.h"
#include "cli/terminal.h"

namespace cli::check {

bool has_missing(const std::vector<Finding>& findings);

// A line for each, with what to do.
std::string findings_text(const std::vector<Finding>& findings, const Terminal& terminal);

// {"findings": [{"verdict", "subject", "detail", "remedy"}]}, on one line; and back.
std::string findings_json(const std::vector<Finding>& findings);
base::Result<std::vector<Finding>> parse_findings(std::string_view json);

}  // namespace cli::check
