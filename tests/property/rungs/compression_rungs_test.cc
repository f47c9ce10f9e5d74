#include <gtest/gtest.h>

#include <string>

#include "plan/closed_form.h"
#include "plan/legality.h"
#include "tests/property/rungs/rung_scenarios.h"

// Compressed sums of gradients from rung to rung: kernels between collectives that share cards.

namespace portolan {
namespace {

struct CompressedCase {
  std::int32_t tensor, stages, zero;
  CollectiveAlgorithm algorithm;
};

Strategy compressed_strategy(const CompressedCase& c, std::int32_t num_gpus, const char* compression) {
  Strategy strategy;
  strategy.tensor_parallel = c.tensor;
  strategy.pipeline_parallel = c.stages;
  strategy.data_parallel = num_gpus / c.tensor / c.stages;
  strategy.zero_stage = c.zero;
  strategy.gradient_aggregation.algorithm = c.algorithm;
  strategy.gradient_aggregation.compression = find_compression(compression).value();
  return strategy;
}

constexpr CompressedCase kCases[] = {
    {1, 1, 0, CollectiveAlgorithm::kRing}, {2, 1, 0, CollectiveAlgorithm::kHierarchical},
    {2, 4, 0, CollectiveAlgorithm::kRing}, {1, 2, 0, CollectiveAlgorithm::kTree},
    {4, 1, 1, CollectiveAlgorithm::kRing}, {2, 2, 1, CollectiveAlgorithm::kHierarchical}};

TEST(CompressionRungs, AgreeFromTheFormulaToEveryFlow) {
  Scenario scenario = round_scenario(2);
  scenario.lossy_gradients = true;
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  ClosedForm closed_form(scenario, cluster);
  int count = 0;
  for (const CompressedCase& c : kCases) {
    for (const char* name : {"bf16", "fp8", "int8", "int4", "topk:0.01", "powersgd:4"}) {
      const Strategy strategy = compressed_strategy(c, 16, name);
      if (find_rejection(scenario, strategy)) {
        continue;
      }
      ++count;
      SCOPED_TRACE(short_name(strategy));
      const Estimate folded = simulated(scenario, cluster, strategy, Fidelity::kFolded);
      EXPECT_LE(apart(closed_form.evaluate(strategy), folded), c.stages == 1 ? 1e-9 : 0.01);
      EXPECT_LE(apart(simulated(scenario, cluster, strategy, Fidelity::kReplicas), folded), 1e-4);
      EXPECT_LE(apart(simulated(scenario, cluster, strategy, Fidelity::kFull), folded), 1e-4);
      EXPECT_LE(apart(simulated(scenario, cluster, strategy, Fidelity::kExplicit), folded), 5e-3);
      EXPECT_GT(folded.breakdown.other, Seconds(0));
    }
  }
  EXPECT_GT(count, 25);
}

// Where cards are slow, what is waited for is bytes: it shrinks with them, and no faster.
TEST(CompressionRungs, WaitingShrinksWithTheBytes) {
  Scenario scenario = round_scenario(2);
  scenario.lossy_gradients = true;
  scenario.hardware.nic.bandwidth.value = BytesPerSecond(1e9);
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const auto waits = [&](const char* name) {
    const Strategy strategy = compressed_strategy(kCases[0], 16, name);
    return simulated(scenario, cluster, strategy, Fidelity::kFull).breakdown.exposed_data;
  };
  const Seconds whole = waits("none");
  EXPECT_NEAR(whole / waits("bf16"), 2, 0.05);
  EXPECT_NEAR(whole / waits("fp8"), 4, 0.1);
  EXPECT_GT(waits("int8"), waits("int4"));
  EXPECT_GT(whole / waits("powersgd:4"), 20);
  // Of each rank's 1 %, 16 times 8 bytes come in; of a ring, twice 4 bytes of every element.
  EXPECT_NEAR(whole / waits("topk:0.01"), 8 / (0.01 * 16 * 8), 0.5);
}

}  // namespace
}  // namespace portolan
