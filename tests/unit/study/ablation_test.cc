#include "study/ablation.h"

#include "sample_rows.h"

namespace portolan {
namespace {

TEST(Ablation, TermsAreFoundByNameAndOthersRefused) {
  const auto two = parse_physics_terms("launch,tile_quantisation");
  ASSERT_TRUE(two);
  ASSERT_EQ(two->size(), 2U);
  EXPECT_EQ(two->at(1).name, "tile_quantisation");
  for (const char* names : {"", "nope", "launch,", "launch,,host"}) {
    const auto refused = parse_physics_terms(names);
    ASSERT_FALSE(refused) << names;
    EXPECT_NE(refused.error().message.find("is no term (allowed: launch, "), std::string::npos);
  }
}

// Each term leaves something out of a step that has all of them, once, and tells the predictor so.
TEST(Ablation, EachTermChangesTheScenarioAndNothingElse) {
  const std::string step =
      "id,T,f,dgx-a100-80g-hdr,megatron-deepspeed-2021,64,96,12288,96,49152,51200,2048,175,fp16,64,1,8,8,1,1,"
      "no,"
      "0,full,no,20\n";
  const auto made = published_case(rows_from(step).at(0), shipped_catalog());
  ASSERT_TRUE(made);
  PublishedCase published = std::get<PublishedCase>(*made);
  published.scenario.software.tensor_overlap.value = true;  // so that there is something to leave out
  for (const PhysicsTerm& term : physics_terms()) {
    int asked = 0;
    const TaskPredictor predict =
        without_terms({term}, [&](std::span<const PredictionTask> tasks) -> std::vector<Result<Estimate>> {
          for (const PredictionTask& task : tasks) {
            ++asked;
            EXPECT_FALSE(task.scenario == published.scenario) << term.name;
            EXPECT_EQ(task.scenario.model, published.scenario.model) << term.name;
            EXPECT_FALSE(find_problem(task.scenario.hardware)) << term.name;
            Scenario again = task.scenario;
            term.leave_out(again);
            again.hardware.trunk.bandwidth = task.scenario.hardware.trunk.bandwidth;  // scaled each time
            again.hardware.core_trunk.bandwidth = task.scenario.hardware.core_trunk.bandwidth;
            again.hardware.nvlink.bandwidth = task.scenario.hardware.nvlink.bandwidth;
            again.hardware.nic.bandwidth = task.scenario.hardware.nic.bandwidth;
            again.hardware.device.memory_bandwidth = task.scenario.hardware.device.memory_bandwidth;
            EXPECT_TRUE(again == task.scenario) << term.name;
          }
          return std::vector<Result<Estimate>>(tasks.size(), Estimate{});
        });
    const std::vector<PredictionTask> tasks(2, {published.scenario, published.strategies.at(0)});
    EXPECT_EQ(predict(tasks).size(), 2U);
    EXPECT_EQ(asked, 2);
  }
}

}  // namespace
}  // namespace portolan
