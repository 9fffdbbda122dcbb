#include "config/file_reader.h"

#include <utility>

#include "config/istio/read_document.h"
#include "config/settings.h"
#include "config/yaml/node.h"
#include "config/yaml/parse.h"

namespace config {
namespace {

std::shared_ptr<const Candidate> make_candidate(istio::ReadDocument read, const std::string& file) {
  Candidate candidate{.file = file,
                      .mark = read.mark,
                      .id = std::move(read.id),
                      .body = nullptr,
                      .is_partial = read.is_partial,
                      .is_inactive = read.is_inactive,
                      .findings = std::move(read.findings)};
  if (read.body) candidate.body = std::make_shared<const DocumentBody>(*std::move(read.body));
  return std::make_shared<const Candidate>(std::move(candidate));
}

// A `List`, as kubectl prints it, holds documents; anything else is one itself.
bool is_list(const yaml::Value& value) { return istio::identify(value).kind == "List"; }

std::vector<const yaml::Value*> flatten(const yaml::Value& value) {
  if (!is_list(value)) return {&value};
  std::vector<const yaml::Value*> documents;
  if (const yaml::Value* items = value.find("items")) {
    for (const yaml::Value& item : items->items) documents.push_back(&item);
  }
  return documents;
}

istio::ReadDocument unreadable(const SourceFile& file, const yaml::SyntaxError& error) {
  istio::ReadDocument read;
  read.mark = error.mark;
  yaml::Report report(file.name, "");
  report.error_at(error.mark, error.path, error.message, Reason::syntax);
  read.findings = report.take();
  return read;
}

std::vector<yaml::ParsedDocument> unread(const SourceFile& file) {
  yaml::ParsedDocument document;
  document.error = yaml::SyntaxError{.mark = {.line = 0, .column = 0}, .message = file.problem};
  return {document};
}

using ParsedFile = std::vector<yaml::ParsedDocument>;

ParsedFile parse(const SourceFile& file) { return file.problem.empty() ? yaml::parse(file.text) : unread(file); }

// What its Settings say, if it has any that can be read.
std::optional<std::string> domain_of(const ParsedFile& parsed, const std::string& name) {
  for (const yaml::ParsedDocument& document : parsed) {
    if (!document.value) continue;
    for (const yaml::Value* value : flatten(*document.value)) {
      if (istio::identify(*value).kind != "Settings") continue;
      const auto read = istio::read_document(*value, name, "");
      if (read.body) return std::get<Settings>(*read.body).cluster_domain;
    }
  }
  return std::nullopt;
}

Candidates read_documents(const ParsedFile& parsed, const SourceFile& file, const std::string& domain) {
  Candidates candidates;
  for (const yaml::ParsedDocument& document : parsed) {
    if (document.error) {
      candidates.push_back(make_candidate(unreadable(file, *document.error), file.name));
      continue;
    }
    if (is_list(*document.value)) {
      auto list = istio::read_list(*document.value, file.name);
      if (!list.findings.empty()) candidates.push_back(make_candidate(std::move(list), file.name));
    }
    for (const yaml::Value* value : flatten(*document.value)) {
      candidates.push_back(make_candidate(istio::read_document(*value, file.name, domain), file.name));
    }
  }
  return candidates;
}

}  // namespace

Candidates FileReader::read(std::span<const SourceFile> files) {
  std::map<std::string, ReadFile> now;
  std::map<std::string, ParsedFile> parsed;  // what is new
  std::optional<std::string> domain;         // the first that says so counts for all files
  for (const SourceFile& file : files) {
    auto known = known_.extract(file.name);
    if (known && known.mapped().text == file.text && known.mapped().problem == file.problem) {
      if (!domain) domain = known.mapped().own_domain;
      now.insert(now.end(), std::move(known));
    } else {
      const ParsedFile& fresh = parsed[file.name] = parse(file);
      ReadFile& read = now[file.name];
      read = {.text = file.text,
              .problem = file.problem,
              .own_domain = domain_of(fresh, file.name),
              .domain = {},
              .candidates = {}};
      if (!domain) domain = read.own_domain;
    }
  }
  if (!domain) domain = Settings{}.cluster_domain;

  Candidates all;
  for (const SourceFile& file : files) {
    ReadFile& read = now[file.name];
    if (const bool is_new = parsed.contains(file.name); is_new || read.domain != *domain) {
      read.candidates = read_documents(is_new ? parsed[file.name] : parse(file), file, *domain);
      read.domain = *domain;
    }
    all.insert(all.end(), read.candidates.begin(), read.candidates.end());
  }
  known_ = std::move(now);
  return all;
}

}  // namespace config
