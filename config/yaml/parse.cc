#include "config/yaml/parse.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <map>
#include <sstream>
#include <unordered_set>
#include <utility>

#include "base/utf8.h"

namespace config::yaml {
namespace {

// Thrown through yaml-cpp's parser, which knows no other way to stop; never leaves this file.
struct Refused {
  SyntaxError error;
};

[[noreturn]] void refuse(Mark mark, std::string message, std::string path = {}) {
  throw Refused{{mark, std::move(message), std::move(path)}};
}

constexpr std::size_t kShownKey = 60;  // a message stays one readable line

std::string quoted(std::string_view text) { return "\"" + std::string(text.substr(0, kShownKey)) + "\""; }

// From places of yaml-cpp to places in the file. They end where the text ends: yaml-cpp is given a little more.
class Places {
 public:
  Places(std::string_view text, std::uint32_t first_line)
      : first_line_(first_line),
        last_line_(static_cast<int>(std::count(text.begin(), text.end(), '\n'))),
        last_length_(static_cast<int>(text.size() - (text.rfind('\n') + 1))) {}

  [[nodiscard]] Mark of(const YAML::Mark& at) const {
    const int line = std::min(at.line, last_line_);
    int column = at.column;
    if (at.line > last_line_ || (at.line == last_line_ && column > last_length_)) column = last_length_;
    return {static_cast<std::uint32_t>(line) + first_line_, static_cast<std::uint32_t>(column) + 1};
  }

 private:
  std::uint32_t first_line_;
  int last_line_;    // from 0, as yaml-cpp counts
  int last_length_;  // of that line
};

// Builds one Value out of the events of one document.
class Builder final : public YAML::EventHandler {
 public:
  Builder(const Limits& limits, const Places& places) : limits_(limits), places_(places) {}

  std::optional<Value> take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& at, YAML::anchor_t anchor) override {
    Value value;
    value.mark = mark(at);
    add(std::move(value), anchor);
  }

  void OnScalar(const YAML::Mark& at, const std::string& tag, YAML::anchor_t anchor, const std::string& text) override {
    Value value;
    value.kind = Value::Kind::scalar;
    value.mark = mark(at);
    if (tag == "!" || tag == "tag:yaml.org,2002:str") {
      value.is_quoted = true;
    } else if (tag != "?") {
      refuse(value.mark, "the tag " + quoted(tag) + " is not supported; only !!str is", path_to());
    }
    value.text = text;
    add(std::move(value), anchor);
  }

  void OnAlias(const YAML::Mark& at, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    // yaml-cpp refuses unknown names itself; what is missing here is an anchor that is still being read.
    if (found == anchors_.end()) refuse(mark(at), "an alias may not stand inside the value it names", path_to());
    Value copy = found->second.value;
    copy.mark = mark(at);
    count_nodes(copy.mark, found->second.nodes);
    if (open_.size() + found->second.depth > limits_.max_depth) refuse_depth(copy.mark);
    max_depth_below(open_.size() + found->second.depth);
    place(std::move(copy));
  }

  void OnSequenceStart(const YAML::Mark& at, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    start(Value::Kind::sequence, at, tag, anchor);
  }
  void OnMapStart(const YAML::Mark& at, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    start(Value::Kind::mapping, at, tag, anchor);
  }
  void OnSequenceEnd() override { finish(); }
  void OnMapEnd() override { finish(); }

 private:
  struct Anchored {
    Value value;
    std::size_t nodes = 0;
    std::size_t depth = 0;
  };
  struct Open {
    Value value;
    YAML::anchor_t anchor = 0;
    std::size_t nodes_before = 0;
    std::size_t depth = 0;      // of the deepest value in it, counted from the root
    std::optional<Member> key;  // of a mapping: the key that waits for its value
    std::unordered_set<std::string> keys;
  };

  Mark mark(const YAML::Mark& at) const { return places_.of(at); }

  // Of the value that is read now, or of a key in it: spec.http[0].timeout.
  std::string path_to(std::string_view key = {}) const {
    std::string path;
    const auto add = [&path](std::string_view name) {
      if (!path.empty()) path += '.';
      path += name.substr(0, kShownKey);
    };
    for (const Open& open : open_) {
      if (open.value.kind == Value::Kind::sequence) path += "[" + std::to_string(open.value.items.size()) + "]";
      if (open.key) add(open.key->key);
    }
    if (!key.empty()) add(key);
    return path;
  }

  void refuse_depth(Mark at) const {
    refuse(at, "nested deeper than " + std::to_string(limits_.max_depth) + " levels");
  }

  void count_nodes(Mark at, std::size_t nodes) {
    nodes_ += nodes;
    if (nodes_ > limits_.max_nodes) {
      refuse(at,
             "more than " + std::to_string(limits_.max_nodes) + " values after aliases are expanded; split the file");
    }
  }

  void max_depth_below(std::size_t depth) {
    if (!open_.empty() && open_.back().depth < depth) open_.back().depth = depth;
  }

  void start(Value::Kind kind, const YAML::Mark& at, const std::string& tag, YAML::anchor_t anchor) {
    Open open;
    open.value.kind = kind;
    open.value.mark = mark(at);
    open.anchor = anchor;
    open.nodes_before = nodes_;
    if (tag != "?" && tag != "!" && !tag.empty()) {
      refuse(open.value.mark, "the tag " + quoted(tag) + " is not supported; only !!str is", path_to());
    }
    if (expects_key())
      refuse(open.value.mark,
             "a key must be plain text, not a list or a mapping; if this is a {{template}}, fill it in first",
             path_to());
    if (open_.size() >= limits_.max_depth) refuse_depth(open.value.mark);
    count_nodes(open.value.mark, 1);
    open_.push_back(std::move(open));
    max_depth_below(open_.size());
  }

  void finish() {
    Open done = std::move(open_.back());
    open_.pop_back();
    if (done.anchor != 0) {
      const std::size_t nodes = nodes_ - done.nodes_before;
      keep(done.anchor, {done.value, nodes, done.depth - open_.size()});
    }
    max_depth_below(done.depth);
    place(std::move(done.value));
  }

  void add(Value value, YAML::anchor_t anchor) {
    count_nodes(value.mark, 1);
    if (anchor != 0) keep(anchor, {value, 1, 0});
    place(std::move(value));
  }

  // Copies cost memory too: anchors inside anchors keep the same values many times.
  void keep(YAML::anchor_t anchor, Anchored anchored) {
    kept_nodes_ += anchored.nodes;
    if (kept_nodes_ > limits_.max_nodes) refuse(anchored.value.mark, "too many values under anchors; write them out");
    anchors_[anchor] = std::move(anchored);
  }

  bool expects_key() const {
    return !open_.empty() && open_.back().value.kind == Value::Kind::mapping && !open_.back().key.has_value();
  }

  void place(Value value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().value.kind == Value::Kind::sequence) {
      open_.back().value.items.push_back(std::move(value));
    } else if (open_.back().key) {
      open_.back().key->value = std::move(value);
      open_.back().value.members.push_back(std::move(*open_.back().key));
      open_.back().key.reset();
    } else {
      place_key(std::move(value));
    }
  }

  void place_key(Value value) {
    if (value.kind != Value::Kind::scalar) refuse(value.mark, "a key must be plain text");
    if (value.text == "<<" && !value.is_quoted) {
      refuse(value.mark, "merge keys (<<) are not supported, as in Kubernetes; write the fields out", path_to());
    }
    if (!open_.back().keys.insert(value.text).second) {
      refuse(value.mark, "the key " + quoted(value.text) + " is there twice; remove one", path_to(value.text));
    }
    open_.back().key = Member{std::move(value.text), value.mark, {}};
  }

  const Limits& limits_;
  const Places& places_;
  std::size_t nodes_ = 0;
  std::size_t kept_nodes_ = 0;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  std::optional<Value> root_;
};

// yaml-cpp takes 0x04 for the end of the input, lets other control bytes through and replaces what is not UTF-8.
std::optional<SyntaxError> find_bad_byte(std::string_view text, std::uint32_t first_line) {
  Mark at{first_line, 1};
  const std::size_t characters_end = base::utf8_prefix(text);
  for (std::size_t i = 0; i < characters_end; ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f) {
      static constexpr char kHex[] = "0123456789abcdef";
      return SyntaxError{at, std::string("the control byte 0x") + kHex[byte >> 4] + kHex[byte & 15] +
                                 " may not stand in a document; inside double quotes write it as an escape"};
    }
    if (c == '\r' && !text.substr(i + 1).starts_with('\n')) {
      return SyntaxError{at, "a carriage return without a line feed; end lines with LF or CR LF"};
    }
    if (c == '\n') {
      ++at.line;
      at.column = 1;
    } else {
      ++at.column;
    }
  }
  if (characters_end < text.size()) return SyntaxError{at, "this is not UTF-8; save the file in that encoding"};
  return std::nullopt;
}

// What yaml-cpp says, for somebody who does not know its inside.
const std::array<std::pair<const char*, const char*>, 9> kExplanations = {{
    {YAML::ErrorMsg::END_OF_MAP, "this is not indented like the fields before it"},
    {YAML::ErrorMsg::END_OF_SEQ, "this is not indented like the elements before it"},
    {YAML::ErrorMsg::END_OF_MAP_FLOW, "a { is not closed with }, or a comma is missing"},
    {YAML::ErrorMsg::END_OF_SEQ_FLOW, "a [ is not closed with ], or a comma is missing"},
    {YAML::ErrorMsg::BLOCK_ENTRY, "a list may not begin here; check the indentation"},
    {YAML::ErrorMsg::MAP_KEY, "a field may not begin here; check the indentation"},
    {YAML::ErrorMsg::MAP_VALUE, "a colon may not stand here; check the indentation, or put the text in quotes"},
    {YAML::ErrorMsg::UNKNOWN_TOKEN, "text may not begin with this character; put it in quotes"},
    {YAML::ErrorMsg::EOF_IN_SCALAR, "a text in quotes is not closed"},
}};

// `line` is the one with the problem.
std::string explain(const std::string& problem, std::string_view line) {
  std::string explanation = problem;
  for (const auto& [original, words] : kExplanations) {
    if (problem == original) explanation = words;
  }
  if (problem.starts_with(YAML::ErrorMsg::INVALID_UNICODE)) {
    explanation = "this escape is half a character; write the character itself";
  }
  const bool is_about_indentation = explanation.find("indent") != std::string::npos;
  if (is_about_indentation && line.substr(0, line.find_first_not_of(" \t")).find('\t') != line.npos) {
    return "a tab may not indent; use spaces";
  }
  if (line.find("{{") != line.npos) explanation += "; if this is a template, fill it in first";
  return explanation;
}

std::string_view line_of(std::string_view text, int number) {
  for (; number > 0 && text.find('\n') != text.npos; --number) text.remove_prefix(text.find('\n') + 1);
  return text.substr(0, text.find('\n'));
}

bool is_marker(std::string_view line, std::string_view marker) {
  return line.starts_with(marker) && (line.size() == 3 || line[3] == ' ' || line[3] == '\t' || line[3] == '\r');
}

// Only blank lines, comments and %directives: nothing to read.
bool is_blank(std::string_view text) {
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto first = line.find_first_not_of(" \t\r");
    if (first != line.npos && line[first] != '#' && !line.starts_with('%')) return false;
  }
  return true;
}

ParsedDocument parse_one(std::string_view text, std::uint32_t first_line, const Limits& limits) {
  ParsedDocument document;
  document.mark = {first_line, 1};
  document.error = find_bad_byte(text, first_line);
  if (document.error) return document;
  const Places places(text, first_line);
  Builder builder(limits, places);
  try {
    // The comment: yaml-cpp closes a text in quotes by itself when the input ends right after a line of it.
    std::istringstream stream{std::string(text) + (text.ends_with('\n') ? "#" : "\n#")};
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    document.value = builder.take();
    Builder surplus(limits, places);
    if (parser.HandleNextDocument(surplus)) {
      const auto rest = surplus.take();
      refuse(rest ? rest->mark : document.mark, "text after the end of the document; put --- on a line before it");
    }
  } catch (const Refused& refused) {
    document.value.reset();
    document.error = refused.error;
  } catch (const YAML::Exception& problem) {
    document.value.reset();
    const YAML::Mark place = problem.mark.is_null() ? YAML::Mark() : problem.mark;
    document.error = SyntaxError{places.of(place), explain(problem.msg, line_of(text, place.line))};
  }
  return document;
}

}  // namespace

std::vector<ParsedDocument> parse(std::string_view text, const Limits& limits) {
  std::vector<ParsedDocument> documents;
  if (text.size() > limits.max_file_bytes) {
    ParsedDocument refused;
    refused.error = SyntaxError{{},
                                "the file has " + std::to_string(text.size()) + " bytes; at most " +
                                    std::to_string(limits.max_file_bytes) + " are allowed"};
    documents.push_back(std::move(refused));
    return documents;
  }
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) {
    ParsedDocument refused;
    refused.error = SyntaxError{{}, "the file is UTF-16; save it as UTF-8"};
    documents.push_back(std::move(refused));
    return documents;
  }
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::size_t begin = 0;
  std::uint32_t begin_line = 1;
  const auto flush = [&](std::size_t end) {
    const auto part = text.substr(begin, end - begin);
    if (is_blank(part)) return;
    ParsedDocument document = parse_one(part, begin_line, limits);
    const bool is_empty = document.value && document.value->kind == Value::Kind::null;
    if (!is_empty && (document.value || document.error)) documents.push_back(std::move(document));
  };
  std::size_t position = 0;
  for (std::uint32_t line_number = 1; position < text.size(); ++line_number) {
    const auto newline = text.find('\n', position);
    const auto line = text.substr(position, newline == text.npos ? text.npos : newline - position);
    const std::size_t next = newline == text.npos ? text.size() : newline + 1;
    if (is_marker(line, "---")) {
      flush(position);
      // What follows the marker on its line belongs to the document; blanks keep the columns right.
      begin = position;
      begin_line = line_number;
    } else if (is_marker(line, "...")) {
      flush(position);
      begin = next;
      begin_line = line_number + 1;
    }
    position = next;
  }
  flush(text.size());
  return documents;
}

}  // namespace config::yaml
