#include <gtest/gtest.h>

#include "plan/block_lowering.h"
#include "plan/legality.h"
#include "plan/lower.h"
#include "plan/memory.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

/// 3 sequences of 32 tokens in 16 bits with dropout; h 64, a 4.
struct Korthikanti {
  double s = 32, b = 3, h = 64, a = 4;
  /// Mean and reciprocal deviation, 4 B each, of two layer norms: the paper neglects them (its equation 1 has
  /// no such term).
  double statistics() const { return 2 * 2 * 4 * s * b; }
};

TransformerConfig model_of(const Korthikanti& k) {
  TransformerConfig model = tiny_gpt();
  model.hidden_size = static_cast<std::int64_t>(k.h);
  model.num_heads = model.num_kv_heads = static_cast<std::int64_t>(k.a);
  model.ffn_size = 4 * model.hidden_size;
  model.max_positions = static_cast<std::int64_t>(k.s);
  return model;
}

BlockOptions options_of(const Korthikanti& k, std::int64_t tensor_parallel) {
  BlockOptions options;
  options.microbatch_size = static_cast<std::int64_t>(k.b);
  options.sequence_length = static_cast<std::int64_t>(k.s);
  options.tensor_parallel = tensor_parallel;
  options.compute_bytes = 2;
  options.dropout = true;
  return options;
}

double saved(const Korthikanti& k, std::int64_t tensor_parallel, const RecomputeSet& set) {
  return static_cast<double>(saved_layer_activations(model_of(k), options_of(k, tensor_parallel), set).value);
}

TEST(SavedActivations, EqualTheFormulasOfKorthikantiEtAl) {
  // arXiv 2205.05198, equations 1, 2 and section 5.
  const Korthikanti k;
  EXPECT_DOUBLE_EQ(saved(k, 1, recompute_none()),
                   k.s * k.b * k.h * (34 + 5 * k.a * k.s / k.h) + k.statistics());
  for (const std::int64_t t : {1, 2, 4}) {
    const auto d = static_cast<double>(t);
    EXPECT_DOUBLE_EQ(saved(k, t, recompute_none()),
                     k.s * k.b * k.h * (10 + 24 / d + 5 * k.a * k.s / (k.h * d)) + k.statistics());
    EXPECT_DOUBLE_EQ(saved(k, t, recompute_selective()), k.s * k.b * k.h * (10 + 24 / d) + k.statistics());
    EXPECT_DOUBLE_EQ(saved(k, t, recompute_full()), 2 * k.s * k.b * k.h);
  }
}

TEST(SavedActivations, OfGpt3AreThoseOfThePaper) {
  // Its section 4.1: GPT-3 at s 2048, b 1 has 5 a s / h = 80: 34 + 80 = 114 times s b h.
  const Scenario scenario = gpt3_scenario();
  const Strategy strategy = sample_strategy(scenario, {.tensor = 1});
  const double sbh = 2048.0 * 12288;
  EXPECT_DOUBLE_EQ(
      static_cast<double>(
          saved_layer_activations(scenario.model, block_options(scenario, strategy), recompute_none()).value),
      sbh * 114 + 16 * 2048);
}

TEST(SavedActivations, WithFlashAttentionHaveNoTermOfScoresAndNoMaskOfThem) {
  // Equation 1 without 5 a s^2 b, of which attention's dropout is 3 and the softmax 2; 4 B a row and head
  // more.
  const Korthikanti k;
  for (const std::int64_t t : {1, 2, 4}) {
    const auto d = static_cast<double>(t);
    BlockOptions options = options_of(k, t);
    options.flash_attention = true;
    const double lse = 4 * k.a * k.s * k.b / d;
    const auto bytes = [&](const RecomputeSet& set) {
      return static_cast<double>(saved_layer_activations(model_of(k), options, set).value);
    };
    EXPECT_DOUBLE_EQ(bytes(recompute_none()), k.s * k.b * k.h * (10 + 24 / d) + k.statistics() + lse);
    // Recomputed, the kernel's context is not kept either: 2 s b h / t of the projection's input.
    EXPECT_DOUBLE_EQ(bytes(recompute_selective()), k.s * k.b * k.h * (10 + 22 / d) + k.statistics());
    EXPECT_DOUBLE_EQ(bytes(recompute_full()), 2 * k.s * k.b * k.h);
  }
}

/// Bytes of the buffers of `layer` that live from forward to backward, with its input.
Bytes spanning(const Program& program, std::size_t stage_index, std::int32_t layer) {
  const Stage& stage = program.stages[stage_index];
  const std::string prefix = "layer " + std::to_string(layer) + " ";
  Bytes sum;
  for (const Buffer& buffer : stage.buffers) {
    const bool spans = !buffer.persistent && buffer.first.template_index != buffer.last.template_index;
    if (spans && buffer.name.starts_with(prefix) && buffer.name != prefix + "output") {
      sum += buffer.bytes;
    }
  }
  for (const Buffer& buffer : stage.buffers) {
    const bool is_input = layer == 0 ? buffer.name == "embedding output"
                                     : buffer.name == "layer " + std::to_string(layer - 1) + " output";
    if (is_input) {
      EXPECT_NE(buffer.first.template_index, buffer.last.template_index) << "the input of a layer is kept";
      sum += buffer.bytes;
    }
  }
  return sum;
}

/// GPT and LLaMA style, and what published models do differently.
std::vector<TransformerConfig> tiny_models() {
  std::vector<TransformerConfig> models{tiny_gpt(),   tiny_llama(),  tiny_gpt(),   tiny_gpt(),
                                        tiny_llama(), tiny_latent(), tiny_latent()};
  models[2].activation = Activation::kRelu;
  models[2].position_offset = 2;
  models[3].parallel_residual = true;
  models[3].position = PositionEncoding::kAlibi;
  models[3].embedding_norm = true;
  models[4].query_key_norm = true;
  models[4].explicit_head_dim = 12;
  models[6].latent->q_lora_rank = 0;
  return models;
}

/// The formula leaves out attention's part of a parallel sum, which nothing reads but the sum itself: kept
/// where the MLP is recomputed with the sum (whole groups, or for the sum's dropout mask) and attention's
/// projection is not.
bool keeps_more(const Scenario& scenario, const RecomputeSet& set) {
  const SoftwareProfile& software = scenario.software;
  return scenario.model.parallel_residual && set.test(static_cast<std::size_t>(KernelGroup::kMlp)) &&
         !set.test(static_cast<std::size_t>(KernelGroup::kProjection)) &&
         (software.recompute_whole_group.value || software.dropout.value);
}

TEST(SavedActivations, EqualTheBuffersThatSpanForwardAndBackward) {
  // The width of compute and whether attention is one kernel do not act on each other, but with fp8.
  struct Kind {
    Precision precision;
    bool flash;
  };
  for (const TransformerConfig& model : tiny_models()) {
    for (const Kind& kind : {Kind{Precision::kFp32, false}, Kind{Precision::kBf16, true},
                             Kind{Precision::kFp8, false}, Kind{Precision::kFp8, true}}) {
      for (const bool dropout : {false, true}) {
        for (const std::int32_t tp : {1, 2}) {
          for (unsigned bits = 0; bits < 1U << (kNumKernelGroups - 1); ++bits) {
            Scenario scenario = tiny_scenario(tp);
            scenario.model = model;
            scenario.software.flash_attention.value = kind.flash;
            scenario.precision = kind.precision;
            scenario.hardware.device.peak[Precision::kFp8] =
                scenario.hardware.device.peak.at(Precision::kBf16);
            scenario.software.dropout.value = dropout;
            scenario.software.recompute_whole_group.value = bits % 2 == 0;
            Strategy strategy = sample_strategy(scenario, {.tensor = tp, .microbatch = 2});
            strategy.recompute.all_layers = RecomputeSet(bits);
            strategy.sequence_parallel = tp > 1 && bits % 4 >= 2;
            const bool sizes_fit_fp8 =
                kind.precision != Precision::kFp8 || !find_rejection(scenario, strategy);
            if (!sizes_fit_fp8 || keeps_more(scenario, strategy.recompute.all_layers)) {
              continue;
            }
            const Program program = lower(scenario, strategy);
            const Bytes formula = saved_layer_activations(scenario.model, block_options(scenario, strategy),
                                                          strategy.recompute.all_layers);
            for (const std::int32_t layer : {0, 2}) {
              EXPECT_EQ(spanning(program, 0, layer), formula)
                  << "recomputed groups " << strategy.recompute.all_layers << " layer " << layer;
            }
          }
        }
      }
    }
  }
}

/// Bytes that a block keeps from forward to backward: what backward or what is recomputed for it reads, and a
/// kernel made that is not itself recomputed; with the block's input.
Bytes kept_by(const Block& block, const RecomputeSet& set) {
  const std::vector<bool> recomputed = kernels_to_recompute(block, set, false);
  std::vector<bool> made(block.tensors.size(), false);
  std::vector<bool> read(block.tensors.size(), false);
  const auto note = [&](const GroupedKernel& grouped, bool is_forward) {
    for (const Operand& operand : grouped.kernel.operands) {
      const auto i = static_cast<std::size_t>(operand.tensor);
      if (is_forward) {
        made[i] = made[i] || operand.access == Access::kWrite;
      } else {
        read[i] = read[i] || operand.access != Access::kWrite;
      }
    }
  };
  for (std::size_t i = 0; i < block.forward.size(); ++i) {
    note(block.forward[i], !recomputed[i]);
  }
  for (const GroupedKernel& grouped : block.backward) {
    note(grouped, false);
  }
  Bytes sum;
  for (std::size_t i = 0; i < block.tensors.size(); ++i) {
    const TensorRole role = block.tensors[i].role;
    const bool kept = role == TensorRole::kInput || (role == TensorRole::kActivation && made[i] && read[i]);
    sum += kept ? block.tensors[i].bytes() : Bytes(0);
  }
  return sum;
}

std::vector<TransformerConfig> tiny_expert_models() {
  std::vector<TransformerConfig> models{tiny_llama(), tiny_llama(), tiny_gpt(), tiny_latent()};
  models[0].experts = {.num_experts = 4, .experts_per_token = 2, .expert_ffn_size = 48};
  models[1].experts = {.num_experts = 8,
                       .experts_per_token = 3,
                       .expert_ffn_size = 16,
                       .shared_ffn_size = 32,
                       .router_bias = true};
  models[1].query_key_norm = true;
  models[2].experts = {
      .num_experts = 4, .experts_per_token = 1, .expert_ffn_size = 64, .capacity_factor = 1.25};
  models[2].activation = Activation::kRelu;
  models[3].experts = models[1].experts;
  return models;
}

TEST(SavedActivations, OfLayersWithExpertsEqualWhatTheBlockKeeps) {
  for (const TransformerConfig& model : tiny_expert_models()) {
    for (unsigned bits = 0; bits < 1U << 7; ++bits) {
      BlockOptions options;
      options.microbatch_size = 2;
      options.sequence_length = 16;
      options.tensor_parallel = bits & 1U ? 2 : 1;
      options.sequence_parallel = (bits & 3U) == 3U;
      options.expert_parallel = bits & 4U ? 4 : 1;
      options.dropout = (bits & 8U) != 0;
      options.compute_bytes = bits & 16U ? 2 : 4;
      options.fp8_linear = (bits & 64U) != 0;
      if (options.fp8_linear && options.compute_bytes != 2) {
        continue;
      }
      options.flash_attention = options.dropout;
      const LayerKind kind = bits & 32U ? LayerKind::kExperts : LayerKind::kDense;
      const Block block = layer_block(model, options, kind);
      for (unsigned groups = 0; groups < 1U << (kNumKernelGroups - 1); ++groups) {
        ASSERT_EQ(kept_by(block, RecomputeSet(groups)),
                  saved_layer_activations(model, options, RecomputeSet(groups), kind))
            << RecomputeSet(groups) << " options " << bits;
      }
    }
  }
}

}  // namespace
}  // namespace portolan
