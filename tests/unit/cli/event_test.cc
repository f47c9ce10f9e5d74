#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/unit/cli/command.h"

namespace portolan {
namespace {

/// GPT-2 on two nodes, one replica a GPU.
class Event : public testing::Test {
 protected:
  std::string scenario(const std::string& more = "") const {
    return scratch_.write("two-nodes.yaml",
                          "model: gpt2-124m\nhardware: dgx-a100-80g-hdr\nsoftware: generic\n"
                          "sequence_length: 1024\nglobal_batch: 64\nnum_gpus: 16\n" +
                              more);
  }
  CommandResult simulate(const std::string& more, const std::string& of_scenario = "") const {
    return portolan_command("simulate " + scenario(of_scenario) +
                            " --strategy tp=1,pp=1,microbatch=4,zero=0,recompute=none " + more);
  }
  nlohmann::json answer(const std::string& more, const std::string& of_scenario = "") const {
    const CommandResult result = simulate(more + " --json", of_scenario);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.exit_code == 0 ? result.json() : nlohmann::json();
  }

  ScratchFolder scratch_;
};

constexpr const char* kCondition =
    "hardware_overrides: {num_nodes: 2, condition: [slow-gpu node1.gpu3 0.5]}\n";

TEST_F(Event, ASlowGpuMakesTheOthersWait) {
  const nlohmann::json slow = answer("--event 'slow-gpu node1.gpu3 0.5'");
  EXPECT_EQ(slow["fidelity"], "full");
  const nlohmann::json& told = slow["degraded"];
  EXPECT_EQ(told["events"], nlohmann::json({"slow-gpu node1.gpu3 0.5"}));
  EXPECT_EQ(told["stop"], nullptr);
  EXPECT_EQ(told["step_time_s"], slow["estimate"]["step_time_s"]);
  EXPECT_GT(told["added_s"].get<double>(), 0.3 * told["healthy_step_time_s"].get<double>());
  ASSERT_EQ(told["ranks"].size(), 16U);
  for (const nlohmann::json& rank : told["ranks"]) {
    const double longer = rank["compute_s"].get<double>() - rank["healthy_compute_s"].get<double>();
    const double waits = rank["wait_s"].get<double>() - rank["healthy_wait_s"].get<double>();
    EXPECT_NEAR(longer + waits, told["added_s"].get<double>(), 1e-9);
    EXPECT_EQ(longer > 1e-9, rank["first_rank"] == 11);
  }
  // The same all the time.
  const nlohmann::json standing = answer("", kCondition);
  EXPECT_EQ(standing["degraded"]["condition"], nlohmann::json({"slow-gpu node1.gpu3 0.5"}));
  EXPECT_EQ(standing["estimate"]["step_time_s"], slow["estimate"]["step_time_s"]);
  EXPECT_EQ(answer("")["degraded"], nullptr);
}

TEST_F(Event, AFailedCardStopsTheJob) {
  const std::string run =
      "training_run: {tokens: 1e9, gpu_mtbf: {value: 50000 h, source: test}, restart_time: 15 min, "
      "checkpoint_time: 10 s, checkpoint_interval: 1 h}\n";
  const nlohmann::json told = answer("--event 'failed-nic node1.nic3'", run)["degraded"];
  const nlohmann::json& stop = told["stop"];
  EXPECT_EQ(stop["event"], "failed-nic node1.nic3");
  EXPECT_GT(stop["at_s"].get<double>(), 0);
  EXPECT_EQ(stop["restart_s"], 900.0);
  EXPECT_NEAR(stop["lost_since_checkpoint_s"]["most"].get<double>(), 3600, 1);
  EXPECT_GE(stop["step_time_after_s"].get<double>(), told["healthy_step_time_s"].get<double>());
  const CommandResult text = simulate("--event 'failed-nic node1.nic3'", run);
  EXPECT_NE(text.out.find("the job stops"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("15.0 min until the next step"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("set up anew, a step takes"), std::string::npos) << text.out;
}

TEST_F(Event, AJobIsSetUpAnewOnItsOwnNodes) {
  // Of two pods, with hardly anything between them.
  const auto nodes = [](const std::string& condition) {
    return "job_nodes: 40,0\nhardware_overrides: {trunk: {bandwidth: {value: 10 Gbit/s, source: test}}" +
           condition + "}\n";
  };
  const nlohmann::json told = answer("--event 'failed-nic node40.nic3'", nodes(""))["degraded"];
  const nlohmann::json standing = answer("", nodes(", condition: [failed-nic node40.nic3]"));
  EXPECT_EQ(told["stop"]["step_time_after_s"], standing["estimate"]["step_time_s"]);
  const nlohmann::json elsewhere = answer("--event 'failed-nic node1.nic3'")["degraded"];
  EXPECT_LT(elsewhere["stop"]["step_time_after_s"].get<double>() * 2,
            told["stop"]["step_time_after_s"].get<double>());
}

TEST_F(Event, ATraceShowsIt) {
  const std::string trace = scratch_.file("step.json");
  ASSERT_EQ(simulate("--event 'slow-gpu node1.gpu3 0.5 at 1 ms' --trace " + trace).exit_code, 0);
  const nlohmann::json events = nlohmann::json::parse(content_of(trace));
  EXPECT_NE(
      events["otherData"]["title"].get<std::string>().find("full, with slow-gpu node1.gpu3 0.5 at 1 ms"),
      std::string::npos);
  const auto is_mark = [](const nlohmann::json& event) {
    return event["ph"] == "i" && event["name"] == "slow-gpu node1.gpu3 0.5 at 1 ms" && event["ts"] == 1000.0;
  };
  EXPECT_EQ(std::count_if(events["traceEvents"].begin(), events["traceEvents"].end(), is_mark), 1);
  const auto busy_us = [&](int rank) {
    double sum = 0;
    for (const nlohmann::json& event : events["traceEvents"]) {
      sum += event["ph"] == "X" && event["pid"] == rank && event["tid"] == 0 ? event["dur"].get<double>() : 0;
    }
    return sum;
  };
  EXPECT_GT(busy_us(11), 1.5 * busy_us(10));
}

TEST_F(Event, PlansAreMadeForTheClusterAsItIs) {
  const std::string file = scratch_.file("plan.json");
  const CommandResult planned = portolan_command("plan " + scenario(kCondition) + " --json --out " + file);
  ASSERT_EQ(planned.exit_code, 0) << planned.err;
  const nlohmann::json best = planned.json()["best"];
  EXPECT_TRUE(planned.json()["none_better"].is_boolean());
  EXPECT_EQ(planned.json()["not_in_full"], nullptr);
  const CommandResult again = portolan_command("simulate " + file + " --json");
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(again.json()["fidelity"], "full");
  EXPECT_NEAR(again.json()["estimate"]["step_time_s"].get<double>(), best["step_time_s"].get<double>(), 1e-9);
}

TEST_F(Event, RefusesInOneLine) {
  struct Row {
    std::string more, of_scenario;
    int exit_code;
    std::string message;
  };
  const std::vector<Row> rows = {
      {"--event 'slow-gpu node1.gpu3'", "", 2,
       "--event: \"slow-gpu node1.gpu3\" is not \"slow-gpu PLACE SHARE\""},
      {"--event 'slow-gpu node70.gpu3 0.5'", "", 2,
       "--event: slow-gpu node70.gpu3 0.5: the cluster has no such GPU"},
      {"--event 'slow-gpu node1.gpu3 0.5' --fidelity folded", "", 2,
       "--fidelity: folded lets one replica or rail stand for others"},
      {"--fidelity replicas", kCondition, 2, "--fidelity: replicas lets one replica or rail stand"},
      {"", "hardware_overrides: {num_nodes: 2, condition: [failed-node node1]}\n", 2,
       "num_gpus: 16 GPUs need 2 nodes of dgx-a100-80g-hdr, of which 1 have not failed"},
      {"", "hardware_overrides: {condition: [failed-node node64]}\n", 2,
       "condition[0]: failed-node node64: the cluster has no such node"},
  };
  for (const Row& row : rows) {
    const CommandResult result = simulate(row.more, row.of_scenario);
    EXPECT_EQ(result.exit_code, row.exit_code) << result.err;
    EXPECT_NE(result.err.find(row.message), std::string::npos) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
}

}  // namespace
}  // namespace portolan
