#include "plan/memory.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "exec/arena_plan.h"
#include "tiny_training.h"

namespace portolan {
namespace {

std::map<std::string, Recompute> recompute_modes() {
  std::map<std::string, Recompute> modes;
  for (const char* name : {"none", "selective", "full"}) {
    modes[name].all_layers = *find_recompute(name);
  }
  modes["uniform:2"] = {.all_layers = recompute_full(), .per_layer = {}, .layers_per_group = 2};
  return modes;
}

std::map<std::string, Strategy> divisions() {
  std::map<std::string, Strategy> list;
  list["1 rank"] = fp32_strategy();
  list["2 data ranks"] = fp32_strategy();
  list["2 data ranks"].data_parallel = 2;
  list["2 stages, 1F1B"] = fp32_strategy();
  list["2 stages, 1F1B"].pipeline_parallel = 2;
  list["2 stages, GPipe"] = list["2 stages, 1F1B"];
  list["2 stages, GPipe"].schedule = ScheduleKind::kGPipe;
  return list;
}

TEST(Memory, LivePeakEqualsThePrediction) {
  const TokenDataset text = made_up_text(16, 61);
  for (const TransformerConfig& model : {tiny_gpt(), tiny_llama()}) {
    for (auto [division, strategy] : divisions()) {
      for (const auto& [mode, recompute] : recompute_modes()) {
        strategy.recompute = recompute;
        const Plan plan = tiny_plan(model, strategy);
        const RunMeasurement measurement = run_or_fail(plan, {.num_steps = 2, .dataset = &text});
        ASSERT_EQ(measurement.memory.size(), static_cast<std::size_t>(strategy.num_ranks()));
        for (const RankMemory& rank : measurement.memory) {
          EXPECT_EQ(rank.live, rank.predicted_live)
              << model.name << ", " << division << ", " << mode << ", rank " << rank.rank;
          EXPECT_GE(rank.arena, rank.live);
          EXPECT_LT(rank.arena / rank.live, 1.05) << model.name << ", " << division << ", " << mode;
        }
      }
    }
  }
}

TEST(Memory, ArenaPlanFindsThePeakByItself) {
  for (auto [division, strategy] : divisions()) {
    const Plan plan = tiny_plan(tiny_gpt(), strategy);
    for (const Stage& stage : plan.program.stages) {
      const ArenaPlan arena = plan_arena(stage, plan.program.num_microbatches);
      EXPECT_EQ(arena.live, stage_peak_memory(stage).allocated) << division;
    }
  }
}

/// Large enough that what libraries keep for themselves (a few MiB) is small beside it.
Scenario larger_scenario(const Strategy& strategy) {
  TransformerConfig model = tiny_gpt();
  model.num_layers = 4;
  model.hidden_size = 256;
  model.num_heads = 8;
  model.num_kv_heads = 8;
  model.ffn_size = 1024;
  model.max_positions = 256;
  model.vocab_size = 2048;
  Scenario scenario = tiny_scenario(model, strategy);
  scenario.sequence_length = 256;
  return scenario;
}

TEST(Memory, ResidentMemoryGrowsByTheArena) {
#ifdef PORTOLAN_SANITIZED
  GTEST_SKIP() << "sanitizers keep shadow memory";
#endif
  const TokenDataset text = made_up_text(256, 2048);
  Strategy strategy = fp32_strategy();
  strategy.microbatch_size = 4;
  const RunMeasurement measurement =
      run_or_fail(make_plan(larger_scenario(strategy), strategy), {.num_steps = 2, .dataset = &text});
  const RankMemory& rank = measurement.memory.front();
  EXPECT_EQ(rank.live, rank.predicted_live);
  EXPECT_NEAR(rank.rss / rank.arena, 1.0, 0.05) << rank.arena.value << " " << rank.rss.value;
  RecordProperty("live_bytes", static_cast<int>(rank.live.value));
  RecordProperty("arena_bytes", static_cast<int>(rank.arena.value));
  RecordProperty("rss_bytes", static_cast<int>(rank.rss.value));
}

}  // namespace
}  // namespace portolan
