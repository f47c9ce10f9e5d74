#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/attended_pairs.h"
#include "model/block.h"
#include "sample_models.h"

namespace portolan {
namespace {

/// 2 sequences of 8 tokens in bf16.
BlockOptions ring_options(std::int64_t context_parallel, bool skips_masked = true) {
  BlockOptions options;
  options.microbatch_size = 2;
  options.sequence_length = 8;
  options.context_parallel = context_parallel;
  options.compute_bytes = 2;
  options.flash_attention = true;
  options.flash_skips_masked = skips_masked;
  return options;
}

/// "kind: operands", of kernels of the attention core.
std::vector<std::string> core_of(const Block& block, const std::vector<GroupedKernel>& kernels) {
  std::vector<std::string> lines;
  for (const GroupedKernel& grouped : kernels) {
    const KernelKind kind = grouped.kernel.kind;
    if (!is_flash_attention(kind) && kind != KernelKind::kContextMerge && kind != KernelKind::kKeyValuePack &&
        kind != KernelKind::kKeyValueUnpack && kind != KernelKind::kGradientAdd &&
        kind != KernelKind::kContextShift) {
      continue;
    }
    std::string line(kernel_name(kind));
    line += grouped.overlapped ? " beside:" : ":";
    for (const Operand& operand : grouped.kernel.operands) {
      line += " " + block.tensors[static_cast<std::size_t>(operand.tensor)].name;
      line += operand.access == Access::kRead ? "" : operand.access == Access::kWrite ? "(w)" : "(u)";
    }
    lines.push_back(line);
  }
  return lines;
}

double flops_of(const std::vector<GroupedKernel>& kernels, KernelKind kind) {
  double sum = 0;
  for (const GroupedKernel& grouped : kernels) {
    sum += grouped.kernel.kind == kind ? grouped.kernel.flops.value : 0;
  }
  return sum;
}

// Tokens laid out by hand: a rank's are those of its two blocks.
TEST(RingAttention, ZigzagBalancesEveryStepAndLosesNothing) {
  for (std::int64_t ranks = 1; ranks <= 8; ++ranks) {
    for (std::int64_t block = 1; block <= 3; ++block) {
      const std::int64_t sequence = 2 * ranks * block;
      const auto tokens_of = [&](std::int64_t rank) {
        std::vector<std::int64_t> tokens;
        for (const std::int64_t first : {rank * block, (2 * ranks - 1 - rank) * block}) {
          for (std::int64_t i = 0; i < block; ++i) {
            tokens.push_back(first + i);
          }
        }
        return tokens;
      };
      BlockOptions options = ring_options(ranks);
      options.sequence_length = sequence;
      std::int64_t all = 0;
      for (std::int64_t rank = 0; rank < ranks; ++rank) {
        for (std::int64_t step = 0; step < ranks; ++step) {
          std::int64_t pairs = 0;
          for (const std::int64_t query : tokens_of(rank)) {
            for (const std::int64_t key : tokens_of((rank - step + ranks) % ranks)) {
              pairs += key <= query ? 1 : 0;
            }
          }
          EXPECT_EQ(pairs, attended_pairs(options, step))
              << ranks << " ranks, rank " << rank << ", step " << step;
          all += pairs;
        }
      }
      EXPECT_EQ(all, sequence * (sequence + 1) / 2);
    }
  }
}

TEST(RingAttention, WithoutSkippingEveryStepIsTheWholeProduct) {
  for (std::int64_t step = 0; step < 4; ++step) {
    EXPECT_EQ(attended_pairs(ring_options(4, false), step), 2 * 2);
    EXPECT_EQ(attended_keys(ring_options(4, false), step), 2);
  }
  EXPECT_EQ(attended_keys(ring_options(4), 0), 2);
  EXPECT_EQ(attended_keys(ring_options(4), 1), 1);
}

TEST(RingAttention, StepsOfAllRanksAddUpToTheWholeInEveryStyle) {
  for (const TransformerConfig& config : all_styles()) {
    for (const bool skips : {false, true}) {
      const Block whole = layer_block(config, ring_options(1, skips));
      for (const std::int64_t ranks : {2, 4}) {
        const Block part = layer_block(config, ring_options(ranks, skips));
        EXPECT_DOUBLE_EQ(
            static_cast<double>(ranks) * flops_of(part.forward, KernelKind::kFlashAttentionForward),
            flops_of(whole.forward, KernelKind::kFlashAttentionForward));
        EXPECT_DOUBLE_EQ(
            static_cast<double>(ranks) * flops_of(part.backward, KernelKind::kFlashAttentionBackward),
            flops_of(whole.backward, KernelKind::kFlashAttentionBackward));
        EXPECT_DOUBLE_EQ(static_cast<double>(ranks) * flops_of(part.forward, KernelKind::kLinearForward),
                         flops_of(whole.forward, KernelKind::kLinearForward));
      }
    }
  }
}

TEST(RingAttention, ForwardSendsOnWhatItHoldsBesideItsCompute) {
  const Block layer = layer_block(small_gpt(), ring_options(4));
  EXPECT_EQ(core_of(layer, layer.forward),
            (std::vector<std::string>{
                "key_value_pack: key_value.own(w) qkv.output",
                "context_shift beside: key_value.received1(w) key_value.own",
                "flash_attention_forward: attention.context(w) attention.lse(w) qkv.output",
                "context_shift beside: key_value.received2(w) key_value.received1",
                "flash_attention_forward: attention.context_part1(w) attention.lse_part1(w) qkv.output "
                "key_value.received1",
                "context_merge: attention.context(u) attention.lse(u) attention.context_part1 "
                "attention.lse_part1",
                "context_shift beside: key_value.received3(w) key_value.received2",
                "flash_attention_forward: attention.context_part2(w) attention.lse_part2(w) qkv.output "
                "key_value.received2",
                "context_merge: attention.context(u) attention.lse(u) attention.context_part2 "
                "attention.lse_part2",
                "flash_attention_forward: attention.context_part3(w) attention.lse_part3(w) qkv.output "
                "key_value.received3",
                "context_merge: attention.context(u) attention.lse(u) attention.context_part3 "
                "attention.lse_part3"}));
}

TEST(RingAttention, BackwardSendsGradientsRoundAndHome) {
  const Block layer = layer_block(small_gpt(), ring_options(2));
  EXPECT_EQ(core_of(layer, layer.backward),
            (std::vector<std::string>{
                "key_value_pack: key_value.own_again(w) qkv.output",
                "context_shift beside: key_value.received_again1(w) key_value.own_again",
                "flash_attention_backward: qkv.gradient(w) key_value.gradient_part0(w) "
                "attention.context_gradient attention.context attention.lse qkv.output key_value.own_again",
                "context_shift beside: key_value.gradient_sum1(w) key_value.gradient_part0",
                "flash_attention_backward: qkv.gradient(u) key_value.gradient_part1(w) "
                "attention.context_gradient attention.context attention.lse qkv.output "
                "key_value.received_again1",
                "gradient_add: key_value.gradient_sum1(u) key_value.gradient_part1",
                "context_shift: key_value.gradient(w) key_value.gradient_sum1",
                "key_value_unpack: qkv.gradient(u) key_value.gradient"}));
}

TEST(RingAttention, ShiftsCarryKeysAndValuesOfTheRanksTokens) {
  for (const std::int64_t tp : {1, 2}) {
    for (const std::int64_t ranks : {2, 4}) {
      BlockOptions options = ring_options(ranks);
      options.tensor_parallel = tp;
      // Qwen3 style: 2 key-value heads of 6. Keys and values, 2 B, of 2 sequences.
      const Block layer = layer_block(small_qwen3(), options);
      const std::int64_t bytes = 2 * (2 / tp) * 6 * 2 * 2 * (8 / ranks);
      std::int64_t count[2] = {0, 0};
      for (const bool backward : {false, true}) {
        for (const GroupedKernel& grouped : backward ? layer.backward : layer.forward) {
          if (grouped.kernel.kind == KernelKind::kContextShift) {
            EXPECT_EQ(grouped.kernel.bytes.value, bytes);
            ++count[backward];
          }
        }
      }
      EXPECT_EQ(count[0], ranks - 1);
      EXPECT_EQ(count[1], 2 * ranks - 1) << "keys and values p - 1 times, their gradients p times";
    }
  }
}

/// Bytes that backward reads and forward made, the layer's input included.
std::int64_t saved(const Block& block) {
  std::vector<bool> kept(block.tensors.size(), false);
  std::vector<bool> made_again(block.tensors.size(), false);
  for (const GroupedKernel& grouped : block.backward) {
    for (const Operand& operand : grouped.kernel.operands) {
      const auto i = static_cast<std::size_t>(operand.tensor);
      made_again[i] = made_again[i] || operand.access == Access::kWrite;
      const TensorRole role = block.tensors[i].role;
      kept[i] =
          kept[i] || (!made_again[i] && (role == TensorRole::kActivation || role == TensorRole::kInput));
    }
  }
  std::int64_t bytes = 0;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    bytes += kept[i] ? block.tensors[i].bytes().value : 0;
  }
  return bytes;
}

TEST(RingAttention, ARankSavesItsPartOfTheActivationsAndAllOfTheParameters) {
  for (const TransformerConfig& config : all_styles()) {
    for (const std::int64_t tp : {1, 2}) {
      BlockOptions options = ring_options(1);
      options.tensor_parallel = tp;
      options.sequence_parallel = tp > 1;
      const Block whole = layer_block(config, options);
      for (const std::int64_t ranks : {2, 4}) {
        options.context_parallel = ranks;
        const Block part = layer_block(config, options);
        EXPECT_EQ(saved(part) * ranks, saved(whole));
        std::int64_t parameters = 0;
        for (const Tensor& tensor : part.tensors) {
          parameters += tensor.role == TensorRole::kParameter ? tensor.elements : 0;
        }
        for (const Tensor& tensor : whole.tensors) {
          parameters -= tensor.role == TensorRole::kParameter ? tensor.elements : 0;
        }
        EXPECT_EQ(parameters, 0);
      }
    }
  }
}

TEST(RingAttention, TheEndsWorkOnARanksTokens) {
  for (const Block& block :
       {embedding_block(small_gpt(), ring_options(4)), head_block(small_gpt(), ring_options(4), 1.0)}) {
    for (const auto* list : {&block.forward, &block.backward}) {
      for (const GroupedKernel& grouped : *list) {
        const KernelShape& shape = grouped.kernel.shape;
        EXPECT_TRUE(shape.sequence == 0 || shape.sequence == 2) << kernel_name(grouped.kernel.kind);
        EXPECT_TRUE(is_gemm(grouped.kernel.kind) || shape.rows == 2 * 2) << kernel_name(grouped.kernel.kind);
      }
    }
  }
}

TEST(RingAttention, ExpertsWorkOnARanksTokens) {
  TransformerConfig config = small_gpt();
  config.linear_bias = false;
  config.experts = {.num_experts = 4, .experts_per_token = 2, .expert_ffn_size = 8};
  const double whole =
      flops_of(layer_block(config, ring_options(1), LayerKind::kExperts).forward, KernelKind::kLinearForward);
  EXPECT_DOUBLE_EQ(2 * flops_of(layer_block(config, ring_options(2), LayerKind::kExperts).forward,
                                KernelKind::kLinearForward),
                   whole);
}

}  // namespace
}  // namespace portolan
