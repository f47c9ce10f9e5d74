#include "catalog/launch/shell_script.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "catalog/launch/shell_arithmetic.h"

namespace portolan {
namespace {

/// Words of each command: "a|b c / d", unknown ones in <>, with a default taken in ().
std::string commands_of(const std::string& text, const ScriptEnvironment& environment = {}) {
  const Result<LaunchScript> script = read_shell_script(text, "s.sh", environment);
  if (!script) {
    return script.error().message;
  }
  std::vector<std::string> commands;
  for (const ScriptCommand& command : script->commands) {
    std::vector<std::string> words;
    for (const ScriptWord& word : command.words) {
      words.push_back(!word.unknown.empty() ? "<" + word.text + ">"
                      : !word.unset.empty() ? "(" + word.text + ")"
                                            : word.text);
    }
    commands.push_back(fmt::format("{}", fmt::join(words, "|")));
  }
  return fmt::format("{}", fmt::join(commands, " / "));
}

TEST(ShellScript, WordsOfCommands) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"run a  b\trun # c\n", "run|a|b|run"},
      {"run a#b '#' \"#\"", "run|a#b|#|#"},
      {"run a \\\n  b", "run|a|b"},
      {"run a\\\nb", "run|ab"},
      {"run a\\\r\n b\r\n", "run|a|b"},
      {"run 'a b' \"c 'd'\" e\\ f \"\" \\\"", "run|a b|c 'd'|e f||\""},
      {"run 'a$X' \"\\$X\" \\$X", "run|a$X|$X|$X"},
      {"A=1; B=x$A run $A ${A}2 \"$A\" ; run $B", "run|1|12|1 / run|x1"},
      {"A='x  y'; run $A \"$A\" '$A'", "run|x|y|x  y|$A"},
      {"A=1 B=$A; A+=2; run $A $B", "run|12|1"},
      {"run ${A:-d e} ${A:-\"d e\"} \"${A:-d e}\" ${A-}", "run|(d)|(e)|(d e)|(d e)"},
      {"A=; run ${A:-d} ${A-e} ${A:+f} ${A+g}", "run|(d)|g"},
      {"A=1; run ${A:-d} ${A:+f} ${A:?no}", "run|1|f|1"},
      {"run ${A:=5}; run $A", "run|(5) / run|(5)"},
      {"run ${A:-${B:-c}}", "run|(c)"},
      {"run $1 \"$1\" $@ \"$@\" $X ${X%.sh}", "run|<$1>|<$1>|<$X>|<${X%.sh}>"},
      {"run $(date +%s) `hostname` \"a$(echo \"b c\")\"",
       "run|<$(date +%s)>|<`hostname`>|<a$(echo \"b c\")>"},
      {"A=$(pwd); run $A/x", "run|<$(pwd)/x>"},
      {"A=8 B=4; run $((A*B)) $(($A * ${B} + 1)) $((X*2))", "run|32|33|<$((X*2))>"},
      {"N=${NN:-4}; run $((8*N))", "run|(32)"},
      {"A=(a 'b c' # d\n e); run ${A[@]} . \"${A[@]}\" . ${A[1]} $A", "run|a|b|c|e|.|a|b c|e|.|b|c|a"},
      {"A=(); run \"${A[@]}\" x${A[@]}", "run|x"},
      {"A=(b 'c d'); run ${A[@]+\"${A[@]}\"} ${A:+e f} ${B[@]+\"${B[@]}\"}", "run|b|c d|e|f"},
      {"A=(1); A+=(2 3); run \"${A[*]}\"", "run|1 2 3"},
      {"run a > out 2>&1 < in b &> all; run c | tee d", "run|a|b / run|c / tee|d"},
      {"cat <<EOF > f\n run x\nEOF\nrun y", "cat / run|y"},
      {"cat <<-'E'\n\tx\n\tE\nrun y", "cat / run|y"},
      {"export A=1 B=2; declare -x C=3; run $A$B$C", "run|123"},
      {"A='run x'; $A; eval $A y; bash -c \"$A z\"; srun sh -lc 'run $A'",
       "run|x / run|x|y / bash|-c / run|x|z / srun|sh|-lc / run|run|x"},
      {"f() {\n run a\n}\nf", "run|a / f"},
      {"(cd x && run a) && { run b; } || run c", "cd|x / run|a / run|b"},
      {"! true && run a; false || run b; true || run c", "run|b"},
  };
  for (const auto& [script, words] : rows) {
    EXPECT_EQ(commands_of(script), words) << script;
  }
}

TEST(ShellScript, BranchesWhoseTestsAreKnown) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"A=7b; if [ \"$A\" = 7b ]; then run a; else run b; fi", "run|a"},
      {"A=7; if [ $A -gt 8 ]; then run a; elif [[ $A == [67] ]]; then run b; else run c; fi", "run|b"},
      {"if [ -z \"$X\" ]; then run a; fi; [ -n \"$X\" ] && run b; [[ -z $X || -n $Y ]] && run c",
       "run|a / run|c"},
      {"A=2; if (( A > 1 )); then run a; fi", "run|a"},
      {"A=13b; case $A in 7b) run a;; 1*|70b) run b;; *) run c;; esac", "run|b"},
      {"case ${A:-x} in (y) run a;; *) run b; esac; run c", "run|b / run|c"},
      {"while [ $# -gt 0 ]; do run a; shift; done; run b", "run|b"},
      // Neither branch is known to run: what it sets is unknown, what it adds is left out.
      {"A=1; if [ -f x ]; then A=2; fi; run $A", "run|<$A>"},
      {"A=(1); if grep -q y f; then A+=(2); fi; run ${A[@]}", "grep|-q|y|f / run|1"},
      {"A=1; if [ -f x ]; then B=2; else B=3; fi; run $A $B", "run|1|<$B>"},
      {"for t in 1 2; do run $t; done", "run|<$t>"},
      {"read A; run $A", "read|A / run|<$A>"},
  };
  for (const auto& [script, words] : rows) {
    std::string expected = words;
    if (const std::size_t read = expected.find("read|A / "); read == 0) {
      expected = expected.substr(9);  // a builtin is no command
    }
    EXPECT_EQ(commands_of(script), expected) << script;
  }
  EXPECT_EQ(commands_of("run ${N:-1} $1", {{"N", "8"}, {"1", "a b"}}), "run|8|a|b");
}

TEST(ShellScript, WhatScriptsMeantIsReadWithANote) {
  const auto script =
      read_shell_script("run --a 1 \\ # one\n  --b 2 \\\n  # --c 3 \\\n  --d 4 \\  \n  --e\n", "s.sh");
  ASSERT_TRUE(script);
  ASSERT_EQ(script->commands.size(), 1U);
  EXPECT_EQ(script->commands[0].words.size(), 8U);
  EXPECT_EQ(script->commands[0].words[5].text, "--d");
  EXPECT_EQ(script->commands[0].words[5].line, 4);
  ASSERT_EQ(script->notes.size(), 3U);
  EXPECT_EQ(script->notes[0].line, 1);
  EXPECT_EQ(script->notes[1].line, 3);
  EXPECT_EQ(script->notes[2].line, 4);
  // A comment behind the last line of a command is one.
  EXPECT_EQ(commands_of("run a \\\n # b\nrun c"), "run|a / run|c");
}

TEST(ShellScript, WordsKnowTheLineThatTheyAreWrittenIn) {
  const auto script = read_shell_script("TP=8\nARGS=(\n  --a 1\n  --tp $TP\n)\nrun \"${ARGS[@]}\"\n", "s.sh");
  ASSERT_TRUE(script);
  std::vector<std::int64_t> lines;
  for (const ScriptWord& word : script->commands.at(0).words) {
    lines.push_back(word.line);
  }
  EXPECT_EQ(lines, (std::vector<std::int64_t>{6, 3, 3, 4, 1}));
  EXPECT_EQ(script->variables.at("TP").text, "8");
  EXPECT_EQ(script->variables.at("TP").line, 1);
}

TEST(ShellScript, ErrorsNameTheLine) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"a\nrun 'b\nc", "s.sh:2: a quote (') without its end"},
      {"run \"b", "s.sh:1: a quote (\") without its end"},
      {"run `b", "s.sh:1: a quote (`) without its end"},
      {"\nrun ${b", "s.sh:2: a \"${\" without its end"},
      {"run $(b", "s.sh:1: a \"$(\" without its end"},
      {"A=(b\nc", "s.sh:1: an array's \"(\" without its \")\""},
      {"A=(b; c)", "s.sh:1: a \";\" in an array"},
      {"if true\nrun a\n", "s.sh:2: \"if\" without its \"then\""},
      {"if true; then run a", "s.sh:1: \"if\" without its \"fi\""},
      {"while true; do run a", "s.sh:1: \"while\" without its \"done\""},
      {"case a in b) run", "s.sh:1: \"case\" without its \"esac\""},
  };
  for (const auto& [script, message] : rows) {
    EXPECT_EQ(commands_of(script), message) << script;
  }
}

TEST(ShellScript, HostileScriptsEndInOneLine) {
  std::string doubling = "A=xxxxxxxxxxxxxxxx\n";
  for (int i = 0; i < 40; ++i) {
    doubling += "A=$A$A\n";
  }
  EXPECT_NE(commands_of(doubling).find("expands to over 4 million characters"), std::string::npos);
  std::string nested;
  for (int i = 0; i < 100; ++i) {
    nested += "if true; then\n";
  }
  EXPECT_NE(commands_of(nested).find("nested over 64 levels"), std::string::npos);
  EXPECT_NE(commands_of("A='eval $A'; eval $A").find("nested over 64 levels"), std::string::npos);
  EXPECT_NE(commands_of(std::string(2 << 20, 'a')).find("bytes (allowed: up to 1048576)"), std::string::npos);
  EXPECT_NE(commands_of(std::string("a\0b", 3)).find("s.sh:1"), std::string::npos);
}

TEST(ShellArithmetic, AsPosixHasIt) {
  const auto value_of = [](std::string_view name) {
    return name == "n" ? std::optional<std::int64_t>(5) : std::nullopt;
  };
  const std::vector<std::pair<std::string, std::optional<std::int64_t>>> rows = {
      {"1 + 2 * 3", 7},      {"(1+2)*3", 9},          {"-n + 1", -4},
      {"7 / 2", 3},          {"-7 % 3", -1},          {"2 ** 3 ** 2", 512},
      {"10 - 3 - 2", 5},     {"1 < 2 && n == 5", 1},  {"!n || 0", 0},
      {"n>=5", 1},           {"", std::nullopt},      {"m", std::nullopt},
      {"1 +", std::nullopt}, {"1 / 0", std::nullopt}, {"9223372036854775807 + 1", std::nullopt},
      {"1 2", std::nullopt}, {"n = 3", std::nullopt}};
  for (const auto& [text, value] : rows) {
    EXPECT_EQ(shell_arithmetic(text, value_of), value) << text;
  }
  EXPECT_EQ(shell_arithmetic(std::string(100'000, '('), value_of), std::nullopt);
  EXPECT_EQ(shell_arithmetic(std::string(100'000, '-') + "1", value_of), std::nullopt);
}

}  // namespace
}  // namespace portolan
