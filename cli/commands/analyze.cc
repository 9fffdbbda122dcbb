#include "cli/commands/analyze.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "cli/exit_code.h"
#include "config/compile/compile.h"

namespace cli {
namespace {

namespace fs = std::filesystem;

base::Result<config::SourceFile> read_source(const std::string& path) {
  std::stringstream text;
  if (path == "-") {
    text << std::cin.rdbuf();
    return config::SourceFile{"standard input", text.str()};
  }
  std::ifstream file(path);
  if (!file) return base::fail_errno("read " + path);
  text << file.rdbuf();
  return config::SourceFile{path, text.str()};
}

bool holds_documents(const fs::path& path) {
  const auto extension = path.extension();
  return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

std::vector<std::string> files_of(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code ignored;
  for (fs::directory_iterator entry(folder, ignored), end; entry != end; entry.increment(ignored)) {
    if (!entry->is_directory(ignored) && holds_documents(entry->path())) files.push_back(entry->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

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
    std::error_code ignored;
    const bool is_folder = fs::is_directory(path, ignored);
    for (const auto& file : is_folder ? files_of(path) : std::vector<std::string>{path}) {
      auto source = read_source(file);
      if (!source) return tl::unexpected(source.error());
      sources.push_back(std::move(*source));
    }
  }
  if (sources.empty()) return base::fail(base::Errc::not_found, "no *.yaml, *.yml or *.json there");
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
