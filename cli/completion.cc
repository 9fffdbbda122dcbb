#include "cli/completion.h"

#include <algorithm>
#include <string_view>

namespace cli {
namespace {

// Inside single quotes of any of the three shells.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string words_after(const CommandDescription& command) {
  std::string words;
  for (const auto& choice : command.choices) words += (words.empty() ? "" : " ") + choice;
  for (const auto& [option, help] : command.options) words += (words.empty() ? "" : " ") + option;
  return words;
}

std::string bash_script(std::span<const CommandDescription> commands) {
  std::string names;
  std::string cases;
  for (const auto& command : commands) {
    names += (names.empty() ? "" : " ") + command.name;
    cases += "    " + command.name + ") words=" + quoted(words_after(command)) + " ;;\n";
  }
  return "# fairlead completion for bash. To use it: source <(fairlead completion bash)\n"
         "_fairlead() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} words\n"
         "  local i\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    [[ ${COMP_WORDS[i]} == -- ]] && { COMPREPLY=($(compgen -c -f -- \"$current\")); return; }\n"
         "  done\n"
         "  if ((COMP_CWORD == 1)); then\n"
         "    COMPREPLY=($(compgen -W " +
         quoted(names) +
         " -- \"$current\"))\n"
         "    return\n"
         "  fi\n"
         "  case ${COMP_WORDS[1]} in\n" +
         cases +
         "    *) words='' ;;\n"
         "  esac\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "  [[ ${#COMPREPLY[@]} -eq 0 ]] && COMPREPLY=($(compgen -f -- \"$current\"))\n"
         "}\n"
         "complete -o filenames -F _fairlead fairlead\n";
}

// In _describe a colon parts the word from its help.
std::string zsh_entry(std::string_view word, std::string_view help) {
  std::string text;
  for (const char c : word) text += c == ':' ? std::string("\\:") : std::string(1, c);
  return quoted(text + ":" + std::string(help));
}

// `words` is the shell's own: what is on the line so far.
std::string zsh_script(std::span<const CommandDescription> commands) {
  std::string names;
  std::string cases;
  for (const auto& command : commands) {
    names += "    " + zsh_entry(command.name, command.summary) + "\n";
    std::string words;
    for (const auto& choice : command.choices) words += " " + zsh_entry(choice, "");
    for (const auto& [option, help] : command.options) words += " " + zsh_entry(option, help);
    cases += "    " + command.name + ") choices=(" + words + " ) ;;\n";
  }
  return "#compdef fairlead\n"
         "# fairlead completion for zsh. To use it: source <(fairlead completion zsh)\n"
         "_fairlead() {\n"
         "  local -a commands choices\n"
         "  commands=(\n" +
         names +
         "  )\n"
         "  if ((CURRENT == 2)); then\n"
         "    _describe command commands\n"
         "    return\n"
         "  fi\n"
         "  case ${words[2]} in\n" +
         cases +
         "  esac\n"
         "  _describe option choices || _files\n"
         "}\n"
         "compdef _fairlead fairlead\n";
}

std::string fish_script(std::span<const CommandDescription> commands) {
  std::string script =
      "# fairlead completion for fish. To use it: fairlead completion fish | source\n"
      "complete -c fairlead -e\n";
  for (const auto& command : commands) {
    script +=
        "complete -c fairlead -f -n __fish_use_subcommand -a " + command.name + " -d " + quoted(command.summary) + "\n";
    const std::string condition = " -n '__fish_seen_subcommand_from " + command.name + "'";
    for (const auto& choice : command.choices) script += "complete -c fairlead -f" + condition + " -a " + choice + "\n";
    for (const auto& [option, help] : command.options) {
      const bool is_long = option.starts_with("--");
      script += "complete -c fairlead" + condition + (is_long ? " -l " + option.substr(2) : " -s " + option.substr(1)) +
                " -d " + quoted(help) + "\n";
    }
  }
  return script;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> options_in_help(std::string_view help) {
  std::vector<std::pair<std::string, std::string>> options;
  while (!help.empty()) {
    std::string_view line = help.substr(0, help.find('\n'));
    help.remove_prefix(std::min(help.size(), line.size() + 1));
    if (!line.starts_with("  -")) continue;
    line.remove_prefix(2);
    std::string_view names = line.substr(0, line.find(' '));
    const auto gap = line.find("  ");
    std::string_view text = gap == line.npos ? std::string_view() : line.substr(gap);
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    names = names.substr(names.rfind(',') + 1);  // the long one
    options.emplace_back(names.substr(0, names.find_first_of(":=")), text);
  }
  return options;
}

std::string completion_script(Shell shell, std::span<const CommandDescription> commands) {
  switch (shell) {
    case Shell::bash:
      return bash_script(commands);
    case Shell::zsh:
      return zsh_script(commands);
    case Shell::fish:
      break;
  }
  return fish_script(commands);
}

}  // namespace cli
