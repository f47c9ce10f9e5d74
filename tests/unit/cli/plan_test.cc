#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/unit/cli/command.h"

namespace portolan {
namespace {

constexpr const char* kOneTrillion =
    "simulate scenarios/megatron-1t-512xa100.yaml --strategy "
    "tp=8,pp=64,dp=1,microbatch=1,schedule=1f1b,recompute=full,zero=0 --json";

// Published: 94.42 s (Korthikanti et al. 2022, arXiv 2205.05198, Table 5, 1T, full recomputation). Nothing is
// fitted.
TEST(Plan, OneTrillionParametersWithinAQuarterOfThePublishedStep) {
  const CommandResult result = portolan_command(kOneTrillion);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const double step_s = result.json()["estimate"]["step_time_s"];
  EXPECT_NEAR(step_s / 94.42, 1, 0.25);
}

// A plan that loses part of its gradients says so to people and to machines, and waits less for their sums.
TEST(Plan, CompressedGradientsAreMarked) {
  const ScratchFolder scratch;
  const std::string file =
      scratch.write("lossy.yaml",
                    "model: gpt2-124m\nhardware: dgx-a100-80g-hdr\nsoftware: generic\nsequence_length: 1024\n"
                    "global_batch: 16\nnum_gpus: 16\nlossy_gradients: true\n");
  const auto simulated = [&](const std::string& more) {
    const CommandResult result = portolan_command(
        "simulate " + file + " --strategy tp=1,pp=1,microbatch=1,zero=0,overlap=false,recompute=none" + more);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result;
  };
  const nlohmann::json plain = simulated(" --json").json()["estimate"];
  const nlohmann::json narrow = simulated(",compression=int4 --json").json()["estimate"];
  EXPECT_EQ(plain["lossy"], false);
  EXPECT_EQ(narrow["lossy"], true);
  EXPECT_EQ(narrow["strategy"]["compression"], "int4");
  EXPECT_LT(narrow["breakdown_s"]["exposed_data"].get<double>(),
            plain["breakdown_s"]["exposed_data"].get<double>());
  EXPECT_EQ(plain["breakdown_s"]["other"], 0.0);
  EXPECT_GT(narrow["breakdown_s"]["other"].get<double>(), 0.0);
  const CommandResult table = simulated(",compression=topk:0.01");
  EXPECT_NE(table.out.find("topk:0.01 (lossy)"), std::string::npos) << table.out;
}

std::set<std::string> unvalidated_figures_of(const CommandResult& result) {
  std::set<std::string> names;
  const nlohmann::json answer = result.json();
  for (const auto& figure : answer["unvalidated"]) {
    names.insert(figure["figure"].get<std::string>());
    EXPECT_FALSE(figure["source"].get<std::string>().empty()) << figure;
  }
  return names;
}

// What the prediction rests on and nothing supports is said: on a machine of many nodes, and on one GPU,
// which uses no link.
TEST(Plan, FiguresThatNoMeasurementSupportsAreListed) {
  const std::set<std::string> many = unvalidated_figures_of(portolan_command(kOneTrillion));
  for (const char* name :
       {"device.kernel_launch", "collective.send_receive", "kernel.layernorm_forward", "trunk.efficiency"}) {
    EXPECT_TRUE(many.contains(name)) << name;
  }
  EXPECT_FALSE(many.contains("core_trunk.efficiency")) << "one group of pods";
  const ScratchFolder scratch;
  const std::string one_gpu =
      scratch.write("one.yaml",
                    "model: gpt2-124m\nhardware: dgx-a100-80g-hdr\nsoftware: llm.c\nsequence_length: 1024\n"
                    "global_batch: 8\nnum_gpus: 1\nstrategy: {microbatch: 8, zero: 0, recompute: none}\n");
  const std::set<std::string> one = unvalidated_figures_of(portolan_command("simulate --json " + one_gpu));
  EXPECT_TRUE(one.contains("device.kernel_launch"));
  for (const std::string& name : one) {
    EXPECT_TRUE(name.starts_with("device.") || name.starts_with("kernel.") || name.starts_with("software."))
        << name;
  }
  const CommandResult table = portolan_command("simulate " + one_gpu);
  EXPECT_NE(table.out.find("figures that no measurement supports"), std::string::npos) << table.out;
}

// That a cluster's switches are assumed is said where a step crosses them; who describes them is not told so.
TEST(Plan, AssumedSwitchesAreListed) {
  const ScratchFolder scratch;
  const auto listed = [&](const std::string& rest) {
    const std::string file =
        scratch.write("p4d.yaml",
                      "model: gpt2-124m\nhardware: p4d\nsoftware: generic\n"
                      "sequence_length: 1024\nglobal_batch: 32\nstrategy: {tp: 1, pp: 1, "
                      "microbatch: 1, zero: 0, recompute: none}\n" +
                          rest);
    return unvalidated_figures_of(portolan_command("simulate --json " + file));
  };
  EXPECT_TRUE(listed("num_gpus: 16\n").contains("spines"));
  EXPECT_FALSE(listed("num_gpus: 8\n").contains("spines"));
  EXPECT_FALSE(listed("num_gpus: 16\nhardware_overrides: {spines: 0}\n").contains("spines"));
  EXPECT_TRUE(listed("num_gpus: 16\nhardware_overrides: {num_nodes: 128}\n").contains("spines"));
}

TEST(Plan, MemoryThroughTheStepIsWrittenAsATable) {
  const ScratchFolder scratch;
  const std::string file = scratch.file("memory.csv");
  const CommandResult result = portolan_command(std::string(kOneTrillion) + " --memory-timeline " + file);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string table = content_of(file);
  EXPECT_TRUE(
      table.starts_with("stage,slot,template,microbatch,start_s,end_s,allocated_bytes,reserved_bytes,host_"
                        "bytes\n0,0,zero_gradients,0,0,"))
      << table.substr(0, 200);
  // 64 stages, 512 microbatches forward and backward, and what comes once a step.
  EXPECT_GT(std::count(table.begin(), table.end(), '\n'), 64 * 2 * 512);
  // Nothing is left of a call that comes to nothing.
  const CommandResult infeasible = portolan_command(
      "simulate gpt3-175b-512xa100 --strategy "
      "tp=1,pp=4,dp=128,microbatch=1,schedule=1f1b,recompute=full,zero=0 "
      "--memory-timeline " +
      scratch.file("none.csv"));
  EXPECT_EQ(infeasible.exit_code, 1);
  EXPECT_EQ(scratch.num_files(), 1U);
}

TEST(Plan, RungsAgreeOnTheCommandLine) {
  const auto step_of = [](const std::string& rung) {
    return portolan_command(std::string(kOneTrillion) + " --fidelity " + rung)
        .json()["estimate"]["step_time_s"]
        .get<double>();
  };
  const double folded = step_of("folded");
  EXPECT_NEAR(step_of("full") / folded, 1, 1e-4);
  EXPECT_NEAR(step_of("closed-form") / folded, 1, 0.03);
}

// docs/search.md holds the whole space of GPT-3 175B, as the search runs over it.
TEST(Plan, TheSpaceIsTheOneThatIsDocumented) {
  const CommandResult result = portolan_command("plan gpt3-175b-512xa100 --space");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto words_of = [](const std::string& text) {  // lines break where the terminal is narrow
    std::istringstream stream(text);
    return std::vector<std::string>(std::istream_iterator<std::string>(stream), {});
  };
  const std::vector<std::string> documented =
      words_of(content_of(std::string(PORTOLAN_SOURCE_DIR) + "/docs/search.md"));
  std::vector<std::string> printed = words_of(result.out);
  const auto is_rule = [](const std::string& word) {
    return word.find_first_not_of('-') == std::string::npos;
  };
  std::erase_if(printed, is_rule);
  std::vector<std::string> plain = documented;
  std::erase_if(plain, is_rule);
  EXPECT_NE(std::search(plain.begin(), plain.end(), printed.begin(), printed.end()), plain.end())
      << result.out;
  const auto json = portolan_command("plan gpt3-175b-512xa100 --space --json").json();
  EXPECT_EQ(json["fields"]["zero"], nlohmann::json({"0", "1"}));
}

class SmallPlan : public testing::Test {
 protected:
  // Few candidates, so that the search is quick.
  void SetUp() override {
    const CommandResult result = portolan_command(plan_into("plan.json"));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    best_ = result.json()["best"];
    plan_ = nlohmann::ordered_json::parse(content_of(scratch_.file("plan.json")));
  }
  std::string plan_into(const std::string& name) const {
    return "plan gpt3-175b-512xa100 --strategy tp=8,pp=8,microbatch=6,schedule=1f1b,recompute=full --json "
           "--out " +
           scratch_.file(name);
  }
  nlohmann::json simulated(const std::string& file, const std::string& rung) const {
    const CommandResult result = portolan_command("simulate " + file + " --json --fidelity " + rung);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.exit_code == 0 ? result.json() : nlohmann::json();
  }

  ScratchFolder scratch_;
  nlohmann::json best_;
  nlohmann::ordered_json plan_;
};

TEST_F(SmallPlan, PlanFilesAreByteIdentical) {
  ASSERT_EQ(portolan_command(plan_into("again.json")).exit_code, 0);
  EXPECT_EQ(content_of(scratch_.file("plan.json")), content_of(scratch_.file("again.json")));
}

TEST_F(SmallPlan, SimulatingThePlanGivesThePlannedStep) {
  const auto full = simulated(scratch_.file("plan.json"), "full");
  EXPECT_EQ(full["estimate"]["step_time_s"], best_["step_time_s"]);
  EXPECT_EQ(full["estimate"]["program_hash"], best_["program_hash"]);
}

TEST_F(SmallPlan, BreakdownSumsToTheStep) {
  double sum = 0;
  for (const auto& [term, seconds] : best_["breakdown_s"].items()) {
    sum += seconds.get<double>();
  }
  EXPECT_NEAR(sum / best_["step_time_s"].get<double>(), 1, 1e-9);
}

// Two microbatches change places in every order list: legal, another Program, the same time.
TEST_F(SmallPlan, AShuffledOrderListIsFollowed) {
  for (auto& stage : plan_["program"]["stages"]) {
    for (auto& slot : stage["order"]) {
      const std::string name = slot[0];
      if (name == "forward 0" || name == "backward 0") {
        slot[1] = slot[1] == 0 ? 1 : slot[1] == 1 ? 0 : slot[1].get<int>();
      }
    }
  }
  const auto shuffled = simulated(scratch_.write("shuffled.json", plan_.dump()), "folded");
  EXPECT_NE(shuffled["estimate"]["program_hash"], best_["program_hash"]);
  EXPECT_NEAR(shuffled["estimate"]["step_time_s"].get<double>() / best_["step_time_s"].get<double>(), 1,
              1e-4);
}

// All forwards before all backwards is GPipe, whatever the strategy in the file is called: its bubble is the
// simulated one.
TEST_F(SmallPlan, AnOrderListOfAnotherScheduleIsFollowed) {
  for (auto& stage : plan_["program"]["stages"]) {
    auto& order = stage["order"];
    std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
      const auto place = [](const std::string& name) {
        return name == "zero_gradients" ? 0 : name == "forward 0" ? 1 : name == "backward 0" ? 2 : 3;
      };
      return place(a[0]) < place(b[0]);
    });
  }
  const auto gpipe = simulated(scratch_.write("gpipe.json", plan_.dump()), "folded");
  const double memory = gpipe["estimate"]["peak_memory_bytes"].get<double>();
  EXPECT_GT(memory, best_["peak_memory_bytes"].get<double>()) << "all microbatches are in flight";
}

// Zeroing, synchronisation and update stand where they mean something.
TEST_F(SmallPlan, OnceAStepWorkKeepsItsPlace) {
  const auto original = plan_["program"]["stages"][0]["order"];
  const auto refused = [&](const nlohmann::ordered_json& order) {
    plan_["program"]["stages"][0]["order"] = order;
    const CommandResult result = portolan_command("simulate " + scratch_.write("moved.json", plan_.dump()));
    EXPECT_EQ(result.exit_code, 2) << order.dump();
    EXPECT_NE(result.err.find("is needed once"), std::string::npos) << result.err;
  };
  auto late_zeroing = original;
  std::swap(late_zeroing[0], late_zeroing[1]);
  refused(late_zeroing);
  auto no_zeroing = original;
  no_zeroing.erase(0);
  refused(no_zeroing);
  auto no_update = original;
  no_update.erase(no_update.size() - 1);
  refused(no_update);
  auto early_update = original;
  std::swap(early_update[early_update.size() - 1], early_update[early_update.size() - 2]);
  refused(early_update);
}

TEST_F(SmallPlan, AnIllegalOrderListIsRefused) {
  auto& order = plan_["program"]["stages"][0]["order"];
  order.erase(order.begin() + 1);
  const CommandResult result = portolan_command("simulate " + scratch_.write("broken.json", plan_.dump()));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("stages[0]"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace portolan
