#include "catalog/json/strategy_json.h"

#include <gtest/gtest.h>

#include "catalog/document/json_parser.h"
#include "catalog/document/load.h"
#include "catalog/json/estimate_json.h"

namespace portolan {
namespace {

TEST(StrategyJson, HasTheShortWordsAsKeys) {
  EXPECT_EQ(
      write_json_line(to_json(Strategy{})),
      R"({"tp": 1, "pp": 1, "dp": 1, "cp": 1, "ep": 1, "virtual_stages": 1, "sequence_parallel": false, "microbatch": 1, )"
      R"("schedule": "1f1b", "zero": 0, "zero_group": 0, "recompute": "none", "aggregation": "ring", "bucket": 0, )"
      R"("overlap": false, "compression": "none", "axis_order": ["tensor", "context", "expert", "data", "pipeline"], )"
      R"("precision": "bf16", "offload": "none", "layers": null, "node_order": null})");
}

TEST(StrategyJson, ReadsWhatItWrites) {
  Strategy strategy;
  strategy.tensor_parallel = 8;
  strategy.sequence_parallel = true;
  strategy.schedule = ScheduleKind::kZeroBubbleH1;
  strategy.zero_stage = 2;
  strategy.recompute.per_layer = {recompute_none(), recompute_full(), RecomputeSet(5)};
  strategy.gradient_aggregation = {.algorithm = CollectiveAlgorithm::kTree,
                                   .bucket = Bytes(1000),
                                   .overlap = true,
                                   .compression = {.kind = CompressionKind::kTopK, .share = 1.0 / 3}};
  strategy.layers_per_stage = {1, 2};
  strategy.node_order = {4, 2, 3, 0};
  strategy.axis_order = {Axis::kPipeline, Axis::kTensor, Axis::kData, Axis::kContext, Axis::kExpert};
  const DocumentNode root = parse_json(write_json(to_json(strategy)), "s.json", Notation::kNumbers).value();
  Strategy again;
  const Result<void> read =
      read_document(root, [&](DocumentSection& section) { read_strategy(section, again, 3); });
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(again, strategy);
}

TEST(StrategyJson, ARuleOfRecomputationKeepsItsName) {
  Strategy strategy;
  strategy.pipeline_parallel = 2;
  strategy.recompute = recompute_of(RecomputeBlock{1}, {2, 3});
  for (const bool listed : {false, true}) {
    strategy.layers_per_stage = listed ? std::vector<std::int32_t>{2, 3} : std::vector<std::int32_t>{};
    if (!listed) {
      strategy.recompute = recompute_of(RecomputeBlock{1}, layers_of_stages(5, strategy));
    }
    const std::string text = write_json(to_json(strategy));
    EXPECT_NE(text.find("block:1"), std::string::npos) << text;
    const DocumentNode root = parse_json(text, "s.json", Notation::kNumbers).value();
    Strategy again;
    const Result<void> read =
        read_document(root, [&](DocumentSection& section) { read_strategy(section, again, 5); });
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(again, strategy);
    const Result<void> other =
        read_document(root, [&](DocumentSection& section) { read_strategy(section, again, listed ? 4 : 1); });
    ASSERT_FALSE(other);
    EXPECT_NE(other.error().message.find("recompute: \"block:1\" needs stages that make up the model's"),
              std::string::npos)
        << other.error().message;
  }
}

TEST(StrategyJson, GroupsOfLayersNeedNoStages) {
  Strategy strategy;
  strategy.recompute = {.all_layers = recompute_full(), .per_layer = {}, .layers_per_group = 3};
  const std::string text = write_json(to_json(strategy));
  EXPECT_NE(text.find("\"uniform:3\""), std::string::npos) << text;
  const DocumentNode root = parse_json(text, "s.json", Notation::kNumbers).value();
  Strategy again;
  const Result<void> read =
      read_document(root, [&](DocumentSection& section) { read_strategy(section, again, 5); });
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(again, strategy);
}

TEST(StrategyJson, APlanHoldsWhatWasChosen) {
  Strategy strategy;
  strategy.recompute.optimal = RecomputeOptimal{.spare = Bytes(0), .chosen = true};
  strategy.recompute.all_layers = recompute_selective();
  EXPECT_NE(write_json(to_json(strategy)).find(R"("recompute": "selective")"), std::string::npos);
  strategy.recompute.optimal->chosen = false;
  const DocumentNode root = parse_json(write_json(to_json(strategy)), "s.json", Notation::kNumbers).value();
  Strategy again;
  const Result<void> read =
      read_document(root, [&](DocumentSection& section) { read_strategy(section, again, 5); });
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().message.find("recompute: \"optimal\" is for scenarios"), std::string::npos)
      << read.error().message;
}

TEST(StrategyJson, ConstraintsKeepIt) {
  StrategyConstraints constraints;
  constraints.recompute = RecomputeBlock{3};
  EXPECT_EQ(write_json_line(to_json(constraints, Notation::kNumbers)), R"({"recompute": "block:3"})");
}

TEST(EstimateJson, HasTheKeysThatAreDocumentedAndNullForWhatIsNotComputed) {
  Estimate estimate;
  estimate.step_time = Seconds(12.5);
  estimate.breakdown.compute = Seconds(12.5);
  estimate.stage_memory = {StageMemory{.allocated = Bytes(5),
                                       .reserved = Bytes(7),
                                       .parameters = Bytes(5),
                                       .gradients = {},
                                       .optimizer_states = {},
                                       .activations = {},
                                       .workspace = {},
                                       .communication = {},
                                       .host = Bytes(3)}};
  estimate.peak_memory = Bytes(7);
  estimate.mfu_pct = 51.5;
  const std::string line = write_json_line(to_json(estimate));
  EXPECT_NE(
      line.find(
          R"("step_time_s": 12.5, "step_time_interval_s": null, "interval_basis": null, )"
          R"("breakdown_s": {"compute": 12.5, "recompute": 0, )"
          R"("exposed_tensor": 0, "exposed_pipeline": 0, "exposed_data": 0, "exposed_context": 0, "exposed_expert": 0, )"
          R"("offload": 0, "bubble": 0, "optimizer": 0, "other": 0}, )"
          R"("stage_memory": [{"allocated_bytes": 5, "reserved_bytes": 7, "interval_bytes": null, )"),
      std::string::npos)
      << line;
  EXPECT_NE(line.find(R"("communication_bytes": 0, "host_bytes": 3}])"), std::string::npos) << line;
  EXPECT_TRUE(line.ends_with(
      R"("peak_memory_bytes": 7, "mfu_pct": 51.5, "hfu_pct": 0, "tokens_per_s": 0, "energy_j": null, )"
      R"("cost": null, "program_hash": null})"))
      << line;
}

}  // namespace
}  // namespace portolan
