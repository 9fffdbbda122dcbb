#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "config/compile/compile.h"
#include "config/document_store.h"
#include "config/yaml/parse.h"
#include "tests/fuzz/require.h"

using fuzz::require;

namespace {

constexpr config::yaml::Limits kLimits{.max_nodes = 2'000, .max_depth = 16};

const config::SourceFile kGoodFile{"good.yaml",
                                   "apiVersion: fairlead.dev/v1alpha1\n"
                                   "kind: Workload\n"
                                   "metadata: {name: bystander, namespace: elsewhere}\n"
                                   "spec: {selectors: [{cgroup: /bystander}]}\n"};

std::uint32_t count_lines(std::string_view text) {
  std::uint32_t lines = 1;
  for (const char c : text) lines += c == '\n' ? 1 : 0;
  return lines;
}

// Returns how many values there are.
std::size_t require_within_limits(const config::yaml::Value& value, std::size_t depth, std::uint32_t lines) {
  using Kind = config::yaml::Value::Kind;
  require(value.mark.line >= 1 && value.mark.line <= lines && value.mark.column >= 1, "a value stands in the text");
  require(value.kind == Kind::sequence || value.items.empty(), "only a list has elements");
  require(value.kind == Kind::mapping || value.members.empty(), "only a mapping has fields");
  const bool has_children = value.kind == Kind::sequence || value.kind == Kind::mapping;
  require(!has_children || depth < kLimits.max_depth, "the depth is bounded");
  std::size_t nodes = 1;
  for (const auto& item : value.items) nodes += require_within_limits(item, depth + 1, lines);
  for (const auto& member : value.members) {
    require(value.find(member.key) == &member.value, "a key is there once");
    nodes += require_within_limits(member.value, depth + 1, lines);
  }
  return nodes;
}

void require_sound_documents(std::string_view text) {
  const std::uint32_t lines = count_lines(text);
  for (const auto& document : config::yaml::parse(text, kLimits)) {
    require(document.value.has_value() != document.error.has_value(), "a document is read or refused");
    if (document.error) {
      require(!document.error->message.empty(), "a refusal says why");
      require(document.error->mark.line >= 1 && document.error->mark.line <= lines + 1, "and where");
    } else {
      require(require_within_limits(*document.value, 0, lines) <= kLimits.max_nodes, "the number of values is bounded");
    }
  }
}

// Whatever the text asks for, it is compiled or refused, and the document of another file stays in force.
void require_undisturbed_bystander(std::string_view text) {
  const std::vector<config::SourceFile> files = {kGoodFile, {"hostile.yaml", std::string(text)}};
  config::DocumentStore store;
  store.update({files.data(), 1});
  require(!store.has_errors(), "the good file is good");
  store.update(files);
  require(store.documents().find_workload("bystander", "elsewhere") != nullptr, "other documents stay in force");
  for (const config::Finding& finding : store.findings()) {
    require(finding.file == "hostile.yaml" && finding.line >= 1 && !finding.message.empty(), "a finding has its place");
  }
  const auto compiled = config::compile(store.documents(), 1);
  // A document that reads without an error stays in force when it is broken later.
  const std::size_t in_force = store.documents().virtual_services.size();
  const std::vector<config::SourceFile> broken = {kGoodFile, {"hostile.yaml", "a: ["}};
  store.update(broken);
  require(store.documents().virtual_services.size() == in_force, "the last good version stays in force");
  require(config::compile(store.documents(), 1).config.backends.size() == compiled.config.backends.size(),
          "and means the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  require_sound_documents(text);
  require_undisturbed_bystander(text);
  return 0;
}
