#include "catalog/launch/megatron_arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <utility>

#include "base/parse_quantity.h"
#include "catalog/document/node.h"

namespace portolan {

namespace {

std::string_view flag_name(std::string_view word) { return word.substr(0, word.find('=')); }

std::ptrdiff_t num_megatron_flags(const ScriptCommand& command) {
  return std::count_if(command.words.begin(), command.words.end(), [](const ScriptWord& word) {
    return word.text.starts_with("--") && find_megatron_flag(flag_name(word.text)) != nullptr;
  });
}

/// The command that passes the most flags; of a file of arguments alone, all its lines together.
std::optional<ScriptCommand> find_launch(const LaunchScript& script, std::vector<ShellNote>& notes) {
  const ScriptCommand* best = nullptr;
  for (const ScriptCommand& command : script.commands) {
    if (num_megatron_flags(command) > (best == nullptr ? 0 : num_megatron_flags(*best))) {
      best = &command;
    }
  }
  if (best == nullptr) {
    return std::nullopt;
  }
  ScriptCommand launch = *best;
  if (launch.words.front().text.starts_with('-')) {
    launch.words.clear();
    for (const ScriptCommand& command : script.commands) {
      if (command.words.front().text.starts_with('-')) {
        launch.words.insert(launch.words.end(), command.words.begin(), command.words.end());
      }
    }
    return launch;
  }
  for (const ScriptCommand& command : script.commands) {
    if (&command != best && 2 * num_megatron_flags(command) > num_megatron_flags(*best)) {
      notes.push_back({command.line, fmt::format("another launch; the one in line {} is read", best->line)});
    }
  }
  return launch;
}

/// NAME of "$NAME" and "${NAME...}".
std::string variable_of(std::string_view unknown) {
  std::string name;
  for (const char letter : unknown.substr(std::min(unknown.find_first_not_of("${"), unknown.size()))) {
    if (std::isalnum(static_cast<unsigned char>(letter)) == 0 && letter != '_') {
      break;
    }
    name.push_back(letter);
  }
  return unknown.starts_with('$') && !unknown.starts_with("$(") ? name : std::string();
}

class ArgumentReader {
 public:
  ArgumentReader(MegatronArguments& arguments, const std::vector<ScriptWord>& words)
      : arguments_(arguments), words_(words) {}

  Result<void> run() {
    at_ = first_argument();
    while (at_ < words_.size()) {
      const ScriptWord& word = words_[at_++];
      if (word.text.find_first_not_of(" \t\n") == std::string::npos) {
        continue;
      }
      if (!word.text.starts_with("--")) {
        unread(word, word.unknown.empty() ? "belongs to no flag" : "known only when the script runs");
        continue;
      }
      PORTOLAN_CHECK_OK(read_flag(word));
    }
    return {};
  }

 private:
  /// Behind the program; of a command without one behind the launcher's own flags, which are no
  /// Megatron-LM's.
  std::size_t first_argument() const {
    const auto program = std::find_if(words_.begin(), words_.end(),
                                      [](const ScriptWord& word) { return word.text.ends_with(".py"); });
    if (program != words_.end()) {
      return static_cast<std::size_t>(program - words_.begin()) + 1;
    }
    const auto flag = std::find_if(words_.begin(), words_.end(), [](const ScriptWord& word) {
      return word.text.starts_with("--") && find_megatron_flag(flag_name(word.text)) != nullptr;
    });
    return words_.front().text.starts_with('-') ? 0 : static_cast<std::size_t>(flag - words_.begin());
  }

  void unread(const ScriptWord& word, std::string why) {
    arguments_.unread.push_back({word.line, printable(word.text), std::move(why)});
  }

  bool next_is_value() const { return at_ < words_.size() && !words_[at_].text.starts_with("--"); }

  /// Values of a flag that is left out. An unknown word behind the first may be flags itself.
  void skip_values() {
    for (bool first = true; next_is_value(); first = false) {
      const ScriptWord& word = words_[at_++];
      if (!first && !word.unknown.empty()) {
        unread(word, "known only when the script runs");
      }
    }
  }

  Result<void> read_flag(const ScriptWord& word) {
    const std::string name(flag_name(word.text));
    const bool joined = name.size() < word.text.size();
    const MegatronFlag* flag = find_megatron_flag(name);
    if (flag == nullptr) {
      if (!has_no_effect(name)) {
        const std::string_view why = why_not_modelled(name);
        ScriptWord shown = word;
        shown.text = name;
        unread(shown, why.empty() ? "unknown flag" : fmt::format("not modelled: {}", why));
      }
      if (!joined) {
        skip_values();
      }
      return {};
    }
    std::vector<ScriptWord> values;
    if (joined) {
      values.push_back(word);
      values.front().text = word.text.substr(name.size() + 1);
    } else if (std::holds_alternative<MegatronSettings::Texts MegatronSettings::*>(flag->field)) {
      while (next_is_value()) {
        values.push_back(words_[at_++]);
      }
    } else if (!std::holds_alternative<bool MegatronSettings::*>(flag->field) && next_is_value()) {
      values.push_back(words_[at_++]);
    }
    return set(*flag, word, values);
  }

  Error refused_value(const ScriptWord& value, const MegatronFlag& flag, std::string_view what) const {
    return bad_input(fmt::format("{}:{}: {}: \"{}\" {}", arguments_.file, value.line, flag.flag,
                                 printable(value.text), what));
  }

  Result<void> set(const MegatronFlag& flag, const ScriptWord& word, const std::vector<ScriptWord>& values) {
    GivenFlag given{.line = word.line, .text = {}, .unset = {}};
    if (const auto* field = std::get_if<bool MegatronSettings::*>(&flag.field)) {
      arguments_.settings.*(*field) = true;
      arguments_.given[std::string(flag.flag)] = given;
      return {};
    }
    if (values.empty()) {
      return bad_input(fmt::format("{}:{}: {}: has no value", arguments_.file, word.line, flag.flag));
    }
    for (const ScriptWord& value : values) {
      given.text += (given.text.empty() ? "" : " ") + value.text;
      given.unset = given.unset.empty() ? value.unset : given.unset;
      if (value.unknown.empty()) {
        continue;
      }
      if (flag.may_be_unknown) {
        arguments_.unread.push_back({value.line, std::string(flag.flag),
                                     fmt::format("\"{}\" is known only when the script runs", value.text)});
        return {};
      }
      const std::string name = variable_of(value.unknown);
      return refused_value(
          value, flag,
          name.empty() ? std::string("is known only when the script runs")
                       : fmt::format("is known only when the script runs (try --set {}=VALUE)", name));
    }
    given.line = values.front().line;
    note_repeated(flag, given);
    PORTOLAN_CHECK_OK(assign(flag, values));
    arguments_.given[std::string(flag.flag)] = std::move(given);
    return {};
  }

  void note_repeated(const MegatronFlag& flag, const GivenFlag& given) {
    const auto before = arguments_.given.find(flag.flag);
    if (before != arguments_.given.end() && before->second.text != given.text) {
      arguments_.notes.push_back(
          {given.line,
           fmt::format("{} is given again: {}, not {} (line {})", flag.flag, printable(given.text),
                       printable(before->second.text), before->second.line)});
    }
  }

  Result<void> assign(const MegatronFlag& flag, const std::vector<ScriptWord>& values) {
    const ScriptWord& value = values.front();
    MegatronSettings& settings = arguments_.settings;
    if (const auto* count = std::get_if<MegatronSettings::Count MegatronSettings::*>(&flag.field)) {
      const Result<std::int64_t> number = parse_integer(value.text);
      if (!number || *number < flag.least || *number > flag.most) {
        return refused_value(
            value, flag,
            fmt::format("is {} (allowed: {} to {})", number ? "out of range" : "not a whole number",
                        flag.least, flag.most));
      }
      settings.*(*count) = *number;
    } else if (const auto* real = std::get_if<MegatronSettings::Number MegatronSettings::*>(&flag.field)) {
      // Python reads ".1" and "1." too.
      std::string text = value.text.starts_with('.') ? "0" + value.text : value.text;
      text += text.ends_with('.') ? "0" : "";
      const Result<double> number = parse_number(text);
      if (!number || std::abs(*number) > 1e12) {
        return refused_value(value, flag, "is not a number (allowed: such as 0.1)");
      }
      settings.*(*real) = *number;
    } else if (const auto* text = std::get_if<MegatronSettings::Text MegatronSettings::*>(&flag.field)) {
      settings.*(*text) = value.text;
    } else if (const auto* texts = std::get_if<MegatronSettings::Texts MegatronSettings::*>(&flag.field)) {
      (settings.*(*texts)).clear();
      for (const ScriptWord& one : values) {
        (settings.*(*texts)).push_back(one.text);
      }
    }
    return {};
  }

  MegatronArguments& arguments_;
  const std::vector<ScriptWord>& words_;
  std::size_t at_ = 0;
};

}  // namespace

std::int64_t MegatronArguments::line_of(std::string_view flag) const {
  const auto found = given.find(flag);
  return found == given.end() ? 0 : found->second.line;
}

Result<MegatronArguments> read_megatron_arguments(std::string_view text, const std::string& file,
                                                  const ScriptEnvironment& environment) {
  ScriptEnvironment variables = slurm_environment(text);
  for (const auto& [name, value] : environment) {
    variables[name] = value;
  }
  PORTOLAN_TRY(LaunchScript script, read_shell_script(text, file, variables));
  MegatronArguments arguments;
  arguments.file = file;
  arguments.notes = std::move(script.notes);
  const std::optional<ScriptCommand> launch = find_launch(script, arguments.notes);
  if (!launch) {
    return bad_input(fmt::format(
        "{}: no command passes arguments of Megatron-LM (needed: such as --num-layers 96)", file));
  }
  PORTOLAN_TRY(arguments.size, launch_size(script, *launch, file));
  const auto algorithm = script.variables.find("NCCL_ALGO");
  if (algorithm != script.variables.end()) {
    arguments.nccl_algorithm = algorithm->second;
  }
  PORTOLAN_CHECK_OK(ArgumentReader(arguments, launch->words).run());
  return arguments;
}

}  // namespace portolan
