#include "cli/commands/analyze.h"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <span>
#include <sstream>

#include "cli/exit_code.h"
#include "config/compile/compile.h"
#include "config/source_files.h"

namespace cli {
namespace {

std::string summary(std::size_t files, std::size_t errors, std::size_t warnings) {
  const auto counted = [](std::size_t count, const std::string& what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
  };
  return counted(files, "file") + ": " + counted(errors, "error") + ", " + counted(warnings, "warning") + "\n";
}

}  // namespace

base::Result<std::vector<config::SourceFile>> read_sources(const std::vector<std::string>& paths) {
  std::vector<config::SourceFile> sources;
  for (const auto& path : paths) {
    if (path == "-") {
      std::stringstream text;
      text << std::cin.rdbuf();
      sources.push_back({.name = "standard input", .text = text.str()});
      continue;
    }
    for (auto& file : config::read_source_files(std::span(&path, 1))) sources.push_back(std::move(file));
  }
  if (sources.empty()) return base::fail(base::Errc::not_found, "no *.yaml or *.yml there");
  return sources;
}

std::string finding_line(const config::Finding& finding, const Terminal& terminal) {
  const auto colour = finding.severity == config::Severity::error     ? Colour::red
                      : finding.severity == config::Severity::warning ? Colour::yellow
                                                                      : Colour::dim;
  return terminal.paint(colour, config::to_string(finding.severity)) + " " + printable(finding.to_string()) + " [" +
         finding.code + "]\n";
}

int run_analyze(const AnalyzeOptions& options, const Terminal& terminal) {
  const auto sources = read_sources(options.paths);
  if (!sources) {
    std::fprintf(stderr, "fairlead analyze: %s\n", sources.error().message.c_str());
    return kUsage;
  }
  auto loaded = config::load_documents(*sources);
  auto findings = std::move(loaded.findings);
  const auto is_error = [](const auto& finding) { return finding.severity == config::Severity::error; };
  const bool has_invalid = std::any_of(findings.begin(), findings.end(), is_error);
  auto compiled = config::compile(loaded.documents, 1);
  std::move(compiled.findings.begin(), compiled.findings.end(), std::back_inserter(findings));

  for (const auto& finding : findings) std::fputs(finding_line(finding, terminal).c_str(), stdout);
  const auto errors = static_cast<std::size_t>(std::count_if(findings.begin(), findings.end(), is_error));
  const auto warnings =
      static_cast<std::size_t>(std::count_if(findings.begin(), findings.end(), [](const auto& finding) {
        return finding.severity == config::Severity::warning;
      }));
  std::fputs(summary(sources->size(), errors, warnings).c_str(), stdout);
  if (has_invalid) return kUsage;
  return errors > 0 ? kBad : kGood;
}

}  // namespace cli
