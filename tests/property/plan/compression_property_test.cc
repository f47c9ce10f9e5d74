#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "plain_runner.h"
#include "plan/closed_form.h"
#include "plan/legality.h"
#include "plan/lower.h"
#include "plan/memory.h"
#include "plan/simulate.h"
#include "sample_scenarios.h"
#include "small_programs.h"

// Gradients that are made smaller before ranks sum them: what the formula says of time and memory is what the
// Program does, whatever else the strategy asks for.

namespace portolan {
namespace {

const std::vector<std::string> kAll = {"bf16", "fp8", "int8", "int4", "topk:0.01", "powersgd:2"};

Strategy compressed(Strategy strategy, const std::string& compression) {
  strategy.gradient_aggregation.overlap = false;
  strategy.gradient_aggregation.bucket = Bytes(0);
  strategy.gradient_aggregation.compression = find_compression(compression).value();
  return strategy;
}

struct CompressionTolerances {
  double time = 0;
  double interleaved_time = 0;  ///< and of ZB-H1
};

/// Every `step`-th legal strategy with each compression that it may have. Returns how many.
std::size_t expect_formula_as_folded(Scenario scenario, std::size_t step,
                                     const CompressionTolerances& tolerances) {
  scenario.lossy_gradients = true;
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  ClosedForm closed_form(scenario, cluster);
  const std::vector<Strategy> plain = legal_strategies(scenario);
  std::size_t count = 0;
  for (std::size_t i = 0; i < plain.size(); i += step) {
    const Strategy strategy = compressed(plain[i], kAll[i / step % kAll.size()]);
    if (find_rejection(scenario, strategy)) {
      continue;
    }
    ++count;
    SCOPED_TRACE(short_name(strategy));
    const Program program = lower(scenario, strategy);
    const Result<void> checked = check_program(program);
    EXPECT_TRUE(checked) << checked.error().message;
    const SimulationRequest request{scenario, strategy, program, cluster, Fidelity::kFolded, false};
    const Estimate folded = simulate_program(request, run_without_contention)->estimate;
    const Estimate closed = closed_form.evaluate(strategy);
    const bool interleaved = strategy.schedule == ScheduleKind::kInterleaved;
    const double time = strategy.pipeline_parallel == 1 ? 1e-9
                        : interleaved || strategy.schedule == ScheduleKind::kZeroBubbleH1
                            ? tolerances.interleaved_time
                            : tolerances.time;
    EXPECT_NEAR(closed.step_time / folded.step_time, 1, time);
    EXPECT_NEAR(closed.breakdown.total() / closed.step_time, 1, 1e-12);
    EXPECT_NEAR(folded.breakdown.total() / folded.step_time, 1, 1e-9);
    if (strategy.pipeline_parallel == 1) {
      EXPECT_NEAR(closed.breakdown.other / folded.breakdown.other, 1, 1e-9);
      EXPECT_NEAR(closed.breakdown.exposed_data / folded.breakdown.exposed_data, 1, 1e-9);
    }
    for (std::size_t s = 0; s < folded.stage_memory.size(); ++s) {
      const StageMemory& formula = closed.stage_memory[s];
      const StageMemory& walked = folded.stage_memory[s];
      EXPECT_EQ(formula.gradients, walked.gradients) << "stage " << s;
      // As without compression (closed_form_property_test.cc): 8 B of loss; sends that are under way, the
      // last after the passes too; chunks in flight.
      const bool exact = scenario.software.blocking_sends.value || strategy.pipeline_parallel == 1;
      const double tolerance = interleaved ? 0.1 : exact ? 1e-4 : 0.02;
      const auto held = static_cast<double>(boundary_bytes(scenario, strategy).held.value);
      EXPECT_NEAR(static_cast<double>(formula.allocated.value), static_cast<double>(walked.allocated.value),
                  tolerance * static_cast<double>(walked.allocated.value) +
                      (strategy.pipeline_parallel > 1 ? held : 0) + 8)
          << "stage " << s;
    }
  }
  return count;
}

TEST(CompressionProperty, OfTinyModelsTheFormulaSaysWhatTheProgramDoes) {
  std::size_t count = 0;
  for (const Scenario& scenario : small_scenarios()) {
    count += expect_formula_as_folded(scenario, 1, {.time = 0.01, .interleaved_time = 0.025});
  }
  EXPECT_GT(count, 1000U);
}

TEST(CompressionProperty, OfLargeModelsTheFormulaSaysWhatTheProgramDoes) {
  Scenario scenario = gpt3_scenario();
  scenario.global_batch = 256;
  EXPECT_GT(expect_formula_as_folded(scenario, 211, {.time = 0.001, .interleaved_time = 0.01}), 10U);
}

// Experts' gradients are summed by fewer ranks, by themselves.
TEST(CompressionProperty, OfExpertsTheFormulaSaysWhatTheProgramDoes) {
  Scenario scenario = gpt_of_eight_layers();
  scenario.lossy_gradients = true;
  scenario.model.experts = MixtureOfExperts{
      .num_experts = 8, .experts_per_token = 2, .expert_ffn_size = 4096, .first_dense_layers = 1};
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  ClosedForm closed_form(scenario, cluster);
  for (const std::int32_t stages : {1, 2}) {
    for (const std::int32_t experts : {1, 2, 8}) {
      for (const std::int32_t zero : {0, 1}) {
        for (const std::string& compression : kAll) {
          Strategy strategy = compressed(
              sample_strategy(scenario, {.tensor = 2, .pipeline = stages, .data = 16 / stages}), compression);
          strategy.expert_parallel = experts;
          strategy.zero_stage = zero;
          if (find_rejection(scenario, strategy)) {
            continue;
          }
          SCOPED_TRACE(short_name(strategy));
          const Program program = lower(scenario, strategy);
          const SimulationRequest request{scenario, strategy, program, cluster, Fidelity::kFolded, false};
          const Estimate folded = simulate_program(request, run_without_contention)->estimate;
          const Estimate closed = closed_form.evaluate(strategy);
          EXPECT_NEAR(closed.step_time / folded.step_time, 1, 0.002);
          for (std::size_t s = 0; s < folded.stage_memory.size(); ++s) {
            EXPECT_EQ(closed.stage_memory[s].gradients, folded.stage_memory[s].gradients);
            EXPECT_NEAR(closed.stage_memory[s].allocated / folded.stage_memory[s].allocated, 1, 1e-3);
          }
        }
      }
    }
  }
}

/// Payloads of collectives over data-parallel ranks in a step.
std::int64_t payload(const Scenario& scenario, const Strategy& strategy) {
  std::int64_t bytes = 0;
  for (const Stage& stage : lower(scenario, strategy).stages) {
    for (const Template& t : stage.templates) {
      for (const Op& op : t.ops) {
        const bool sums = op.kind == OpKind::kCollective && op.axes.contains(Axis::kData);
        const bool twice = op.collective == CollectiveKind::kAllReduce;
        bytes += sums ? op.bytes.value * (twice ? 2 : 1) : 0;
      }
    }
  }
  return bytes;
}

TEST(CompressionProperty, FewerBitsAreNeverMoreBytesOnTheWire) {
  const std::vector<std::vector<std::string>> ladders = {{"none", "bf16", "fp8", "int4"},
                                                         {"none", "int8", "int4"},
                                                         {"topk:0.1", "topk:0.01", "topk:0.001"},
                                                         {"powersgd:8", "powersgd:4", "powersgd:1"}};
  Scenario scenario = gpt_of_eight_layers();
  scenario.lossy_gradients = true;
  for (const std::int32_t zero : {0, 1}) {
    for (const std::int32_t data : {4, 16}) {
      for (const std::vector<std::string>& ladder : ladders) {
        std::int64_t before = 0;
        for (const std::string& compression : ladder) {
          Strategy strategy =
              compressed(sample_strategy(scenario, {.tensor = 32 / data, .data = data}), compression);
          strategy.zero_stage = zero;
          if (find_rejection(scenario, strategy)) {
            continue;
          }
          SCOPED_TRACE(short_name(strategy));
          const std::int64_t bytes = payload(scenario, strategy);
          EXPECT_TRUE(before == 0 || bytes < before) << bytes << " after " << before;
          before = bytes;
        }
      }
    }
  }
}

}  // namespace
}  // namespace portolan
