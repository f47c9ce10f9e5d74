// What a layer keeps from forward to backward, read off the Program's own buffers, against the formulas of
// Korthikanti et al. 2022, "Reducing Activation Recomputation in Large Transformer Models", arXiv 2205.05198:
// s tokens, b sequences a microbatch, h hidden columns, a heads, t tensor-parallel ranks, 2 bytes an element.
//
// Where this model differs by construction, to the byte:
// - Norm statistics: mean and reciprocal deviation of each row, fp32, of a layer's two norms: 16 s b, with
//   sequence parallelism 16 s b / t, nothing where all is recomputed. The paper leaves them out, being small
//   beside s b h (section 4).
// - Ends (section 4.3): nothing is dropped behind the embedding, so its mask of s b h p is not there; token
//   ids and targets, 4 bytes each, 8 s b together, and the final norm's statistics, 8 s b / t, are.
// Nothing else differs. What lives within one pass alone (gathered rows, parts of sums, gradients) is counted
// on neither side; a layer's input is its own, its output the next layer's.
#include <gtest/gtest.h>

#include <set>

#include "plan/legality.h"
#include "plan/lower.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

struct Sizes {
  std::int64_t s = 0, b = 0, h = 0, a = 0, t = 1;
};

/// All quotients of the formulas are whole numbers; heads of 8 to 32 columns.
std::vector<Sizes> all_sizes() {
  return {{16, 1, 32, 4, 1}, {16, 1, 32, 4, 2}, {32, 3, 64, 4, 1},  {32, 3, 64, 4, 2},  {32, 3, 64, 4, 4},
          {24, 2, 96, 6, 2}, {24, 5, 96, 6, 3}, {64, 2, 128, 8, 8}, {128, 1, 64, 8, 4}, {40, 4, 160, 10, 5}};
}

Scenario scenario_of(const Sizes& z) {
  Scenario scenario = tiny_scenario(z.t);
  scenario.model.num_layers = 3;
  scenario.model.hidden_size = z.h;
  scenario.model.num_heads = scenario.model.num_kv_heads = z.a;
  scenario.model.ffn_size = 4 * z.h;
  scenario.model.max_positions = z.s;
  scenario.software = megatron_like_profile();
  scenario.sequence_length = z.s;
  scenario.global_batch = 2 * z.b;
  scenario.precision = Precision::kBf16;
  return scenario;
}

struct Choice {
  RecomputeSet recompute;
  bool sequence_parallel = false;
};

Strategy strategy_of(const Scenario& scenario, const Sizes& z, const Choice& choice) {
  Strategy strategy =
      sample_strategy(scenario, {.tensor = static_cast<std::int32_t>(z.t), .microbatch = z.b});
  strategy.sequence_parallel = choice.sequence_parallel;
  strategy.recompute.all_layers = choice.recompute;
  return strategy;
}

Stage only_stage(const Sizes& z, const Choice& choice) {
  const Scenario scenario = scenario_of(z);
  const Strategy strategy = strategy_of(scenario, z, choice);
  const auto rejection = find_rejection(scenario, strategy);
  EXPECT_FALSE(rejection) << rejection->message;
  return lower(scenario, strategy).stages.front();
}

const Op& op_at(const Stage& stage, const Step& step) {
  return stage.templates[static_cast<std::size_t>(step.template_index)]
      .ops[static_cast<std::size_t>(step.op)];
}

/// Buffers that ops of `layer` (Op::kNoLayer: of embedding and head) touch in the template of a backward.
std::set<std::int32_t> touched_in_backward(const Stage& stage, std::int32_t layer) {
  std::set<std::int32_t> touched;
  for (const Template& t : stage.templates) {
    for (const Op& op : t.ops) {
      if (op.layer != layer || (op.phase != Phase::kBackward && op.phase != Phase::kRecompute)) {
        continue;
      }
      touched.insert(op.buffers.begin(), op.buffers.end());
      for (const Kernel& kernel : op.kernels) {
        for (const Operand& operand : kernel.operands) {
          touched.insert(operand.tensor);
        }
      }
    }
  }
  return touched;
}

/// What the paper calls activations (section 4): made in forward and read in backward, dropout masks
/// included, parameters not.
std::int64_t kept_bytes(const Stage& stage, std::int32_t layer) {
  std::int64_t bytes = 0;
  for (const std::int32_t index : touched_in_backward(stage, layer)) {
    const Buffer& buffer = stage.buffers[static_cast<std::size_t>(index)];
    if (!buffer.persistent && op_at(stage, buffer.first).phase == Phase::kForward) {
      EXPECT_NE(buffer.first.template_index, buffer.last.template_index) << buffer.name;
      bytes += buffer.bytes.value;
    }
  }
  return bytes;
}

/// Every layer keeps `formula`; failures name the sizes.
void expect_layers_keep(const Sizes& z, const Choice& choice, std::int64_t formula) {
  const Stage stage = only_stage(z, choice);
  for (const std::int32_t layer : {0, 1, 2}) {
    EXPECT_EQ(kept_bytes(stage, layer), formula) << "layer " << layer << ", s " << z.s << ", b " << z.b
                                                 << ", h " << z.h << ", a " << z.a << ", t " << z.t;
  }
}

std::int64_t statistics(const Sizes& z) { return 2 * 2 * 4 * z.s * z.b; }
std::int64_t sbh(const Sizes& z) { return z.s * z.b * z.h; }
/// s b h (5 a s / h): the scores, their dropout mask and what it leaves.
std::int64_t scores(const Sizes& z) { return 5 * z.a * z.s * z.s * z.b; }

// Equation 1: s b h (34 + 5 a s / h).
TEST(Korthikanti, LayerOnOneRank) {
  for (const Sizes& z : all_sizes()) {
    if (z.t == 1) {
      expect_layers_keep(z, {recompute_none(), false}, 34 * sbh(z) + scores(z) + statistics(z));
    }
  }
}

// Equation 2: s b h (10 + 24 / t + 5 a s / (h t)).
TEST(Korthikanti, LayerWithTensorParallelism) {
  for (const Sizes& z : all_sizes()) {
    expect_layers_keep(z, {recompute_none(), false},
                       10 * sbh(z) + 24 * sbh(z) / z.t + scores(z) / z.t + statistics(z));
  }
}

// Equation 4: s b h / t (34 + 5 a s / h).
TEST(Korthikanti, LayerWithSequenceParallelism) {
  for (const Sizes& z : all_sizes()) {
    expect_layers_keep(z, {recompute_none(), true}, (34 * sbh(z) + scores(z) + statistics(z)) / z.t);
  }
}

// Section 5: s b h (10 + 24 / t); with sequence parallelism 34 s b h / t.
TEST(Korthikanti, LayerWithSelectiveRecomputation) {
  for (const Sizes& z : all_sizes()) {
    expect_layers_keep(z, {recompute_selective(), false}, 10 * sbh(z) + 24 * sbh(z) / z.t + statistics(z));
    expect_layers_keep(z, {recompute_selective(), true}, (34 * sbh(z) + statistics(z)) / z.t);
  }
}

// Section 5: a layer's input alone, 2 s b h; with sequence parallelism 2 s b h / t.
TEST(Korthikanti, LayerWithFullRecomputation) {
  for (const Sizes& z : all_sizes()) {
    expect_layers_keep(z, {recompute_full(), false}, 2 * sbh(z));
    expect_layers_keep(z, {recompute_full(), true}, 2 * sbh(z) / z.t);
  }
}

// Section 4.3, of one microbatch, p = 1: s b h / t (p + 4 (1 + v / h)), v padded columns of the vocabulary.
TEST(Korthikanti, EndsWithSequenceParallelism) {
  for (const Sizes& z : all_sizes()) {
    const Choice choice{recompute_none(), true};
    const Scenario scenario = scenario_of(z);
    const std::int64_t v =
        padded_vocab(scenario.model, block_options(scenario, strategy_of(scenario, z, choice)));
    const std::int64_t ids_and_targets = 2 * 4 * z.s * z.b;
    const std::int64_t final_statistics = 2 * 4 * z.s * z.b / z.t;
    EXPECT_EQ(kept_bytes(only_stage(z, choice), Op::kNoLayer),
              (4 * sbh(z) + 4 * z.s * z.b * v) / z.t + ids_and_targets + final_statistics);
  }
}

}  // namespace
}  // namespace portolan
