#include "plan/memory.h"

#include <gtest/gtest.h>

#include "plan/lower.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

Buffer buffer(const char* name, std::int64_t bytes, Step first, Step last) {
  return {.name = name, .kind = BufferKind::kActivation, .bytes = Bytes(bytes), .first = first, .last = last};
}

/// Compute op with `num_kernels` kernels that waits for all of the slot before.
Op compute(std::size_t num_kernels) {
  Op op;
  op.kernels.resize(num_kernels);
  op.predecessors.push_back({Predecessor::Kind::kAllOps, 0, 1});
  return op;
}

Op send() {
  Op op;
  op.kind = OpKind::kSend;
  op.lane = 3;
  return op;
}

/// Forward: two kernels, a send. Backward: two kernels. `kept` spans both, `work` lives in one kernel, `sent`
/// from the second kernel of forward to its send.
Stage sample_stage() {
  Stage stage;
  stage.templates = {{"forward 0", 0, {compute(2), send()}}, {"backward 0", 0, {compute(2)}}};
  stage.buffers = {
      {.name = "weight",
       .kind = BufferKind::kParameter,
       .bytes = Bytes(1000),
       .persistent = true,
       .first = {},
       .last = {}},
      buffer("kept", 100, {0, 0, 0}, {1, 0, 1}),
      buffer("work", 30, {0, 0, 0}, {0, 0, 0}),
      buffer("sent", 7, {0, 0, 1}, {0, 1, 0}),
      buffer("gradient", 50, {1, 0, 0}, {1, 0, 1}),
  };
  return stage;
}

TEST(StagePeakMemory, ByHand) {
  Stage stage = sample_stage();
  // F0 B0: kept + work = 130; kept + sent = 107; sent is gone when backward begins: kept + gradient = 150.
  stage.order = {{0, 0}, {1, 0}};
  const StageMemory one = stage_peak_memory(stage);
  EXPECT_EQ(one.allocated.value, 1150);
  EXPECT_EQ(one.reserved.value, 1150);
  EXPECT_EQ(one.parameters.value, 1000);
  EXPECT_EQ(one.activations.value, 150);
  EXPECT_EQ(one.gradients + one.optimizer_states + one.workspace + one.communication, Bytes(0));
  // F0 F1 B0 B1: two kept = 200, and the larger of F1's work (sent of F0 is over: 230) and B0's gradient
  // (250).
  stage.order = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
  EXPECT_EQ(stage_peak_memory(stage).allocated.value, 1250);
  // A third in flight.
  stage.order = {{0, 0}, {0, 1}, {0, 2}, {1, 1}, {1, 0}, {1, 2}};
  EXPECT_EQ(stage_peak_memory(stage).allocated.value, 1350);
}

TEST(StagePeakMemory, ABufferHandedToCommunicationLivesUntilComputeThatWaitsForItBegins) {
  Stage stage = sample_stage();
  // A receive before the compute of the next slot runs while `sent` still lives: 100 + 7 + 60 received.
  stage.templates[1].ops.insert(stage.templates[1].ops.begin(), send());
  stage.templates[1].ops.front().kind = OpKind::kReceive;
  for (Buffer& b : stage.buffers) {
    b.last.op += b.last.template_index;
    b.first.op += b.first.template_index;
  }
  stage.buffers.push_back(buffer("received", 60, {1, 0, 0}, {1, 1, 0}));
  stage.order = {{0, 0}, {1, 0}};
  // At the receive 100 + 7 + 60 = 167; in backward's first kernel 100 + 60 + 50 = 210.
  EXPECT_EQ(stage_peak_memory(stage).allocated.value, 1210);
  stage.buffers[4].bytes = Bytes(1);  // the gradient is small: the receive is the peak
  EXPECT_EQ(stage_peak_memory(stage).allocated.value, 1167);
  // Without the wait `sent` lives on: 100 + 7 + 60 + 1 while backward computes.
  stage.templates[1].ops[1].predecessors.clear();
  EXPECT_EQ(stage_peak_memory(stage).allocated.value, 1168);
}

TEST(StagePeakMemory, OfAStageThatDoesNothingIsWhatPersists) {
  Stage stage = sample_stage();
  EXPECT_EQ(stage_peak_memory(stage).allocated.value, 1000);
}

TEST(StagePeakMemory, OfPersistentStateIsBytesPerParameter) {
  // fp32 and plain profile: 4 B of parameter, 4 of gradient, 8 of Adam; ZeRO 1 divides the 8 by the replicas.
  Scenario scenario = tiny_scenario(2);
  const std::int64_t parameters = num_parameters(scenario.model);
  Strategy strategy = sample_strategy(scenario, {.data = 2});
  const StageMemory whole = stage_peak_memory(lower(scenario, strategy).stages[0]);
  EXPECT_EQ(whole.parameters.value, 4 * parameters);
  EXPECT_EQ(whole.gradients.value, 4 * parameters);
  EXPECT_EQ(whole.optimizer_states.value, 8 * parameters);
  strategy.zero_stage = 1;
  const StageMemory sharded = stage_peak_memory(lower(scenario, strategy).stages[0]);
  EXPECT_EQ(sharded.parameters, whole.parameters);
  EXPECT_EQ(sharded.optimizer_states.value, 4 * parameters);  // all tensors of tiny_gpt have even sizes
}

// Rajbhandari et al. 2020 (arXiv 1910.02054), figure 1: 2 B of parameter, 2 of gradient and 12 of optimizer
// states, divided by N from stage 1, 2 and 3 on.
TEST(StagePeakMemory, ZeroDividesModelStatesAsPublished) {
  Scenario scenario = tiny_scenario(8);
  scenario.precision = Precision::kBf16;
  scenario.software.gradient_bytes.value = 0;
  scenario.software.optimizer_bytes_per_parameter.value = 12;
  const auto parameters = static_cast<double>(num_parameters(scenario.model));
  for (const std::int32_t group : {0, 2, 4}) {
    const double n = group == 0 ? 8 : group;
    const double per_parameter[] = {16, 4 + 12 / n, 2 + 14 / n, 16 / n};
    for (std::int32_t stage = 0; stage <= 3; ++stage) {
      Strategy strategy = sample_strategy(scenario, {.data = 8});
      strategy.precision = Precision::kBf16;
      strategy.zero_stage = stage;
      strategy.zero_group = group;
      std::int64_t bytes = 0;
      std::int64_t num_tensors = 0;
      const Program program = lower(scenario, strategy);
      for (const Buffer& buffer : program.stages[0].buffers) {
        bytes += buffer.persistent && buffer.name != "loss" ? buffer.bytes.value : 0;
        num_tensors += buffer.kind == BufferKind::kParameter && buffer.persistent ? 1 : 0;
      }
      // A shard is rounded up, tensor by tensor.
      const double rounding = 16.0 * static_cast<double>(num_tensors);
      EXPECT_NEAR(static_cast<double>(bytes), per_parameter[stage] * parameters, stage == 0 ? 0 : rounding)
          << "stage " << stage << ", group " << group;
    }
  }
}

}  // namespace
}  // namespace portolan
