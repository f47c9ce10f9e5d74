// A strategy that Megatron-LM can run comes back from the script that launches it.
#include <fmt/format.h>

#include "catalog/launch/framework_export.h"
#include "catalog/launch/megatron_strategy.h"
#include "catalog/model_yaml.h"
#include "plan/legality.h"
#include "sample_launch.h"

namespace portolan {
namespace {

/// Reads the script of a plan back, told of hardware and software alone.
void expect_back(const Scenario& scenario, const Strategy& strategy) {
  const LaunchExport launch = megatron_export(
      {.scenario = scenario, .strategy = strategy, .program = {}, .hash = "0123456789abcdef"});
  const std::string& script = launch.files.front().content;
  const auto arguments = read_megatron_arguments(script, "train.sh");
  ASSERT_TRUE(arguments) << arguments.error().message << '\n' << script;
  EXPECT_TRUE(arguments->notes.empty());
  for (const UnreadFlag& flag : arguments->unread) {
    ADD_FAILURE() << flag.line << ": " << flag.flag << ": " << flag.why;
  }
  const auto run = megatron_run(
      *arguments, {.hardware = scenario.hardware, .software = scenario.software, .scenario = {}});
  ASSERT_TRUE(run) << run.error().message << '\n' << script;
  EXPECT_EQ(run->strategy, strategy) << short_name(run->strategy) << '\n' << script;
  TransformerConfig named = run->scenario.model;
  named.name = scenario.model.name;
  EXPECT_EQ(named, scenario.model) << script;
  EXPECT_EQ(run->scenario.global_batch, scenario.global_batch);
  EXPECT_EQ(run->scenario.num_gpus, scenario.num_gpus);
  EXPECT_EQ(run->scenario.sequence_length, scenario.sequence_length);
  EXPECT_EQ(run->scenario.precision, strategy.precision);
  EXPECT_TRUE(run->assumed.empty()) << run->assumed.front();
}

/// Calls `visit` for each legal strategy of a small space.
template <typename Visit>
void visit_space(const Scenario& scenario, const Visit& visit) {
  Recompute mlp;
  mlp.all_layers.set(static_cast<std::size_t>(KernelGroup::kAttentionCore))
      .set(static_cast<std::size_t>(KernelGroup::kMlp));
  const std::vector<RecomputeChoice> recomputes = {
      Recompute{},
      Recompute{.all_layers = recompute_selective(), .per_layer = {}},
      Recompute{.all_layers = recompute_full(), .per_layer = {}},
      Recompute{.all_layers = recompute_full(), .per_layer = {}, .layers_per_group = 3},
      RecomputeBlock{5},
      mlp};
  Strategy s;
  const auto finish = [&](Strategy one) {
    one.data_parallel = static_cast<std::int32_t>(scenario.num_gpus / one.tensor_parallel /
                                                  one.pipeline_parallel / one.context_parallel);
    if (!find_rejection(scenario, one)) {
      visit(one);
    }
  };
  for (const std::int32_t tp : {1, 8}) {
    for (const auto& [pp, chunks, layers] :
         std::vector<std::tuple<int, int, std::vector<std::int32_t>>>{{1, 1, {}},
                                                                      {4, 1, {}},
                                                                      {4, 2, {}},
                                                                      {5, 1, {}},
                                                                      {4, 1, {22, 26, 26, 22}},
                                                                      {2, 2, {20, 28, 28, 20}}}) {
      for (const RecomputeChoice& recompute : recomputes) {
        for (const std::int32_t zero : {0, 1, 3}) {
          s = Strategy{};
          s.tensor_parallel = tp;
          s.pipeline_parallel = pp;
          s.virtual_stages = chunks;
          s.schedule = chunks > 1 ? ScheduleKind::kInterleaved : ScheduleKind::kOneFOneB;
          s.layers_per_stage = layers;
          s.sequence_parallel = tp > 1;
          s.zero_stage = zero;
          s.precision = scenario.precision;
          s.recompute = recompute_of(recompute, layers_of_stages(scenario.model.num_layers, s));
          finish(s);
          Strategy other = s;
          other.context_parallel = 2;
          other.sequence_parallel = false;
          other.axis_order = kPipelineBeforeData;
          other.microbatch_size = 2;
          other.zero_group = zero == 0 ? 0 : 4;
          finish(other);
          other.gradient_aggregation = {.algorithm = CollectiveAlgorithm::kRing,
                                        .bucket = Bytes(zero == 0 ? 0 : 40'000'000),
                                        .overlap = true,
                                        .compression = {}};
          other.offload = zero == 1 ? Offload::kOptimizer : Offload::kNone;
          finish(other);
        }
      }
    }
  }
}

TEST(MegatronRoundTrip, StrategiesOfASmallSpace) {
  int visited = 0;
  for (const Precision precision : {Precision::kBf16, Precision::kFp16, Precision::kFp32}) {
    Scenario scenario = gpt3_scenario("megatron-2024");
    scenario.precision = precision;
    visit_space(scenario, [&](const Strategy& strategy) {
      ++visited;
      expect_back(scenario, strategy);
    });
  }
  EXPECT_GT(visited, 800);
}

TEST(MegatronRoundTrip, ShippedModels) {
  int models = 0;
  for (const char* name : {"gpt2-124m", "llama2-7b", "llama2-70b", "mixtral-8x7b", "qwen2-72b",
                           "qwen3-235b-a22b", "deepseek-v3", "megatron-530b"}) {
    const auto model = read_model(std::string(PORTOLAN_SOURCE_DIR "/scenarios/models/") + name + ".yaml");
    ASSERT_TRUE(model) << model.error().message;
    Scenario scenario = gpt3_scenario("megatron-2024");
    scenario.model = *model;
    scenario.sequence_length = std::min<std::int64_t>(1024, model->max_positions);
    Strategy s;
    s.data_parallel = 512;
    s.expert_parallel = model->experts ? 4 : 1;
    expect_back(scenario, s);
    ++models;
  }
  EXPECT_EQ(models, 8);
}

}  // namespace
}  // namespace portolan
