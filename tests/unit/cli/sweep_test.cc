#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <string>
#include <thread>

#include "tests/unit/cli/command.h"

namespace portolan {
namespace {

constexpr const char* kQuestion =
    "model: gpt2-124m\nhardware: p4d\nsoftware: generic\nsequence_length: 1024\nglobal_batch: 64\n"
    "num_gpus: 8\nstrategy: {tp: 1, pp: 1, recompute: none}\n";
constexpr const char* kRun =
    "training_run: {tokens: 10e9, gpu_mtbf: 50000 h, restart_time: 10 min, checkpoint_bandwidth: 1 GB/s}\n";

std::int64_t num_lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

TEST(Sweep, PlansAllCombinations) {
  const ScratchFolder scratch;
  const std::string file = scratch.write("question.yaml", kQuestion);
  const std::string out = scratch.file("rows.csv");
  const CommandResult result = portolan_command(
      "sweep " + file + " --vary num_gpus=8..32*2 --vary strategy.microbatch=1,2 --json --out " + out);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const nlohmann::json answer = result.json();
  const nlohmann::json& rows = answer["rows"];
  ASSERT_EQ(rows.size(), 6);
  EXPECT_EQ(rows[0]["keys"]["num_gpus"], "8");
  EXPECT_EQ(rows[1]["keys"]["strategy.microbatch"], "2");
  EXPECT_EQ(rows[5]["gpus"], 32);
  EXPECT_EQ(rows[5]["strategy_name"].get<std::string>().substr(0, 16), "tp1 pp1 dp32 mb2");
  EXPECT_EQ(num_lines(content_of(out)), 7) << "a header and six rows";
  // As `plan` has it.
  const CommandResult plan = portolan_command("plan --strategy microbatch=1 --json " + file);
  ASSERT_EQ(plan.exit_code, 0) << plan.err;
  EXPECT_EQ(rows[0]["step_time_s"], plan.json()["best"]["step_time_s"]);
}

TEST(Sweep, WhatDoesNotFitIsARow) {
  const ScratchFolder scratch;
  const std::string file = scratch.write("question.yaml", kQuestion);
  const CommandResult result =
      portolan_command("sweep --json " + file + " --vary 'hardware.device.memory=1 GiB,40 GiB'");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const nlohmann::json answer = result.json();
  EXPECT_EQ(answer["rows"][0]["feasible"], false);
  EXPECT_TRUE(answer["rows"][0]["step_time_s"].is_null());
  EXPECT_FALSE(answer["rows"][0]["reason"].get<std::string>().empty());
  EXPECT_EQ(answer["rows"][1]["feasible"], true);
}

TEST(Sweep, PointsAreCheckedBeforeTheFirstIsPlanned) {
  const ScratchFolder scratch;
  const std::string file = scratch.write("question.yaml", kQuestion);
  const std::string out = scratch.file("rows.csv");
  const CommandResult result = portolan_command("sweep " + file + " --vary num_gpus=8,16,7x --out " + out);
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.err, "portolan: --vary: num_gpus: \"7x\" is not a whole number (allowed: 1 to 1000000)\n");
  EXPECT_EQ(content_of(out), "");
}

TEST(Sweep, GoesOnWhereItStopped) {
  const ScratchFolder scratch;
  const std::string file = scratch.write("question.yaml", kQuestion);
  const std::string out = scratch.file("rows.csv");
  const std::string command = "sweep " + file + " --vary num_gpus=8..64*2 --out " + out;
  ASSERT_EQ(portolan_command(command).exit_code, 0);
  const std::string whole = content_of(out);
  // The middle rows are gone.
  const std::size_t first = whole.find('\n', whole.find('\n') + 1) + 1;
  const std::size_t last = whole.rfind('\n', whole.size() - 2) + 1;
  scratch.write("rows.csv", whole.substr(0, first) + whole.substr(last));
  const CommandResult again = portolan_command(command);
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_NE(again.out.find("2 of 4 rows were there already"), std::string::npos) << again.out;
  EXPECT_EQ(content_of(out), whole);
}

/// Starts the program and kills it once its table has so many lines.
void kill_in_the_middle(const std::string& scenario, const std::string& out, std::int64_t lines) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl(PORTOLAN_PROGRAM, PORTOLAN_PROGRAM, "sweep", scenario.c_str(), "--vary", "num_gpus=8..32*2",
            "--vary", "strategy.microbatch=1,2", "--json", "--out", out.c_str(), nullptr);
    ::_exit(127);
  }
  ASSERT_GT(child, 0);
  int status = 0;
  while (num_lines(content_of(out)) < lines && ::waitpid(child, &status, WNOHANG) == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
}

TEST(Sweep, AKilledSweepLeavesWholeRowsAndGoesOn) {
  const ScratchFolder scratch;
  const std::string file = scratch.write("question.yaml", kQuestion);
  const std::string arguments =
      "sweep " + file + " --vary num_gpus=8..32*2 --vary strategy.microbatch=1,2 --json --out ";
  ASSERT_EQ(portolan_command(arguments + scratch.file("whole.csv")).exit_code, 0);
  const std::string whole = content_of(scratch.file("whole.csv"));
  for (const std::int64_t lines : {2, 4}) {
    const std::string out = scratch.file("killed.csv");
    kill_in_the_middle(file, out, lines);
    const std::string left = content_of(out);
    EXPECT_GE(num_lines(left), lines);
    EXPECT_EQ(whole.substr(0, left.size()), left);
    const CommandResult rest = portolan_command(arguments + out);
    ASSERT_EQ(rest.exit_code, 0) << rest.err;
    EXPECT_EQ(content_of(out), whole);
    std::remove(out.c_str());
  }
}

TEST(Sweep, RowsOfAnotherQuestionAreRefused) {
  const ScratchFolder scratch;
  const std::string file = scratch.write("question.yaml", kQuestion);
  const std::string out = scratch.file("rows.csv");
  const std::string command = "sweep " + file + " --vary num_gpus=8,16 --out " + out;
  ASSERT_EQ(portolan_command(command).exit_code, 0);
  const std::string before = content_of(out);
  scratch.write("question.yaml", std::string(kQuestion) + "software_overrides: {dropout: false}\n");
  const CommandResult stale = portolan_command(command);
  EXPECT_EQ(stale.exit_code, 2);
  EXPECT_EQ(num_lines(stale.err), 1) << stale.err;
  EXPECT_NE(stale.err.find("rows.csv:2: point_hash: "), std::string::npos) << stale.err;
  EXPECT_NE(stale.err.find("--restart"), std::string::npos) << stale.err;
  EXPECT_EQ(content_of(out), before);
  EXPECT_EQ(portolan_command(command + " --restart").exit_code, 0);
  EXPECT_NE(content_of(out), before);
  scratch.write("rows.csv", "a,b\n1,2\n");
  EXPECT_EQ(portolan_command(command).exit_code, 2);
}

TEST(Sweep, WrongOptionsAreOneLine) {
  const ScratchFolder scratch;
  const std::string file = scratch.write("question.yaml", kQuestion);
  for (const char* rest :
       {" --vary num_gpus", " --vary num_gpus=8 --vary num_gpus=16", " --vary num_gpus=8 --restart",
        " --vary num_gpus=8 --y cost", " --vary strategy.tp=1,2 --strategy tp=1",
        " --vary hardware=p4d,dgx-h100 --hardware p4d", " --vary objective=time,cost",
        " --vary num_gpus=8 --out /no/such/folder/x.csv"}) {
    const CommandResult result = portolan_command("sweep " + file + rest);
    EXPECT_EQ(result.exit_code, 2) << rest;
    EXPECT_EQ(num_lines(result.err), 1) << rest << ": " << result.err;
  }
}

TEST(Sweep, DrawsAPlotOrSaysWhatIsMissing) {
  const ScratchFolder scratch;
  const std::string file = scratch.write("question.yaml", std::string(kQuestion) + kRun);
  const std::string svg = scratch.file("plot.svg");
  const std::string command = "sweep " + file + " --vary num_gpus=8,16 --plot " + svg;
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", "/nowhere", 1);
  const CommandResult missing = portolan_command(command);
  ::setenv("PATH", path.c_str(), 1);
  EXPECT_EQ(missing.exit_code, 3);
  EXPECT_EQ(missing.err, "portolan: gnuplot: is not installed (Debian: apt-get install gnuplot-nox)\n");
  const CommandResult drawn = portolan_command(command);
  ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
  EXPECT_NE(content_of(svg).find("days of training"), std::string::npos);
  EXPECT_NE(content_of(svg).find("</svg>"), std::string::npos);
}

}  // namespace
}  // namespace portolan
