#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "model/block.h"
#include "sample_models.h"

namespace portolan {
namespace {

struct Degrees {
  std::int64_t tensor = 1;
  std::int64_t expert = 1;
  bool divided = false;  ///< sequences, over the tensor-parallel group
};

/// 2 sequences of 4 tokens (8 rows) in bf16 with fp32 gradients.
BlockOptions narrow(const Degrees& degrees) {
  BlockOptions options;
  options.microbatch_size = 2;
  options.sequence_length = 4;
  options.tensor_parallel = degrees.tensor;
  options.expert_parallel = degrees.expert;
  options.sequence_parallel = degrees.divided;
  options.compute_bytes = 2;
  return options;
}

Block experts_layer(const TransformerConfig& config, const Degrees& degrees) {
  return layer_block(config, narrow(degrees), LayerKind::kExperts);
}

const Tensor& tensor(const Block& block, int index) { return block.tensors[static_cast<std::size_t>(index)]; }

const Tensor& tensor(const Block& block, const std::string& name) {
  for (const Tensor& t : block.tensors) {
    if (t.name == name) {
      return t;
    }
  }
  ADD_FAILURE() << "no " << name;
  return block.tensors.front();
}

/// Kernels behind the second norm, with the names of their operands: "kind: operand operand".
std::vector<std::string> behind_norm2(const Block& block) {
  std::vector<std::string> lines;
  for (const GroupedKernel& grouped : block.forward) {
    if (grouped.group == KernelGroup::kMlp) {
      std::string line = std::string(kernel_name(grouped.kernel.kind)) + ":";
      for (const Operand& operand : grouped.kernel.operands) {
        line += " " + tensor(block, operand.tensor).name;
      }
      lines.push_back(line);
    }
  }
  return lines;
}

TEST(ExpertsBlock, ForwardGoesToTheExpertsAndBack) {
  EXPECT_EQ(behind_norm2(experts_layer(small_mixtral(), {.expert = 2})),
            (std::vector<std::string>{
                "linear_forward: router.logits norm2.output router.weight",
                "router_topk_forward: router.probabilities router.indices router.logits",
                "permute_tokens_forward: experts.dispatched norm2.output router.indices",
                "expert_all_to_all: experts.received experts.dispatched",
                "linear_forward: experts.fc1.output experts.received experts.fc1.weight",
                "swiglu_forward: experts.activation.output experts.fc1.output",
                "linear_forward: experts.part experts.activation.output experts.fc2.weight",
                "expert_all_to_all: experts.returned experts.part",
                "unpermute_tokens_forward: output experts.returned router.probabilities router.indices",
                "residual_add: output residual"}));
}

TEST(ExpertsBlock, OfDividedSequencesEachRankDispatchesItsOwnRows) {
  const Block layer = experts_layer(small_deepseek(), {.tensor = 2, .expert = 2, .divided = true});
  EXPECT_EQ(
      behind_norm2(layer),
      (std::vector<std::string>{
          "linear_forward: router.logits norm2.output router.weight",
          "router_topk_forward: router.probabilities router.indices router.logits router.bias",
          "permute_tokens_forward: experts.dispatched norm2.output router.indices",
          "expert_all_to_all: experts.received experts.dispatched",
          "tensor_all_gather: experts.gathered experts.received",
          "linear_forward: experts.fc1.output experts.gathered experts.fc1.weight",
          "swiglu_forward: experts.activation.output experts.fc1.output",
          "linear_forward: experts.part experts.activation.output experts.fc2.weight",
          "tensor_reduce_scatter: experts.output experts.part",
          "expert_all_to_all: experts.returned experts.output",
          "tensor_all_gather: norm2.gathered norm2.output",
          "linear_forward: shared.fc1.output norm2.gathered shared.fc1.weight",
          "swiglu_forward: shared.activation.output shared.fc1.output",
          "linear_forward: shared.fc2.part shared.activation.output shared.fc2.weight",
          "tensor_reduce_scatter: output shared.fc2.part",
          "unpermute_tokens_forward: experts.combined experts.returned router.probabilities router.indices",
          "residual_add: output experts.combined", "residual_add: output residual"}));
  // 4 of 8 rows a rank, 2 experts each: 8 rows of 16 x 2 B exchanged, 16 computed.
  for (const auto* list : {&layer.forward, &layer.backward}) {
    for (const Kernel& exchange : of_kind(*list, KernelKind::kExpertAllToAll)) {
      EXPECT_EQ(exchange.bytes.value, 8 * 16 * 2);
    }
  }
  const Kernel fc1 = of_kind(layer.forward, KernelKind::kLinearForward).at(3);
  EXPECT_EQ(fc1.shape.rows, 16);
  EXPECT_EQ(fc1.shape.gemm_batch, 2);  // of 4 experts
  EXPECT_EQ(fc1.shape.gemm_m, 8);
  EXPECT_EQ(fc1.shape.gemm_n, 24);  // both halves of width 24, over 2 ranks
  EXPECT_EQ(fc1.shape.gemm_k, 16);
}

TEST(ExpertsBlock, RowsAreExchangedTwiceEachWayAndNotAtAllAlone) {
  for (const TransformerConfig& config : expert_styles()) {
    for (const BlockOptions& options : expert_options()) {
      const Block layer = layer_block(config, options, LayerKind::kExperts);
      for (const auto* list : {&layer.forward, &layer.backward}) {
        const std::vector<Kernel> exchanges = of_kind(*list, KernelKind::kExpertAllToAll);
        EXPECT_EQ(exchanges.size(), options.expert_parallel > 1 ? 2U : 0U);
        for (const Kernel& exchange : exchanges) {
          ASSERT_EQ(exchange.operands.size(), 2U);
          EXPECT_EQ(exchange.operands[0].access, Access::kWrite);
          EXPECT_EQ(exchange.operands[1].access, Access::kRead);
          EXPECT_EQ(tensor(layer, exchange.operands[0].tensor).bytes(), exchange.bytes);
          EXPECT_EQ(tensor(layer, exchange.operands[1].tensor).bytes(), exchange.bytes);
        }
        for (const GroupedKernel& grouped : *list) {
          EXPECT_FALSE(grouped.overlapped && grouped.kernel.kind == KernelKind::kExpertAllToAll);
        }
      }
    }
  }
}

TEST(ExpertsBlock, ComputedRowsAreBalancedOrTheWholeCapacity) {
  // 8 rows x 2 of 4 experts: 4 rows an expert and rank of the expert-parallel group; a rank that holds fewer
  // experts gets the rows of other ranks for them.
  for (const std::int64_t ep : {1, 2, 4}) {
    const Block layer = experts_layer(small_mixtral(), {.expert = ep});
    const Kernel fc1 = of_kind(layer.forward, KernelKind::kLinearForward).at(3);
    EXPECT_EQ(fc1.shape.gemm_batch, 4 / ep);
    EXPECT_EQ(fc1.shape.gemm_m, 4 * ep);
    EXPECT_EQ(tensor(layer, "experts.dispatched").elements, 16 * 16);
  }
  // 8 rows x 1 of 4 experts x 1.5 = 3 slots an expert.
  const Block padded = experts_layer(small_switch(), {.expert = 2});
  EXPECT_EQ(tensor(padded, "experts.dispatched").elements, 12 * 16);
  EXPECT_EQ(of_kind(padded.forward, KernelKind::kLinearForward).at(3).shape.gemm_m, 6);
  // 1.6 makes 3.2: 4 slots.
  TransformerConfig more = small_switch();
  more.experts->capacity_factor = 1.6;
  EXPECT_EQ(tensor(experts_layer(more, {}), "experts.dispatched").elements, 16 * 16);
  // 8 rows x 2 over 3 experts: 16 rows in three products of 6.
  TransformerConfig odd = small_mixtral();
  odd.experts->num_experts = 3;
  const Kernel rounded = of_kind(experts_layer(odd, {}).forward, KernelKind::kLinearForward).at(3);
  EXPECT_EQ(rounded.shape.rows, 16);
  EXPECT_EQ(rounded.shape.gemm_m, 6);
}

TEST(ExpertsBlock, ShardsOfParametersSumUpToTheWhole) {
  for (const TransformerConfig& config : expert_styles()) {
    const Block whole = experts_layer(config, {});
    for (const std::int64_t tp : {1, 2}) {
      for (const std::int64_t ep : {1, 2, 4}) {
        const Block shard = experts_layer(config, {.tensor = tp, .expert = ep});
        for (const Tensor& part : shard.tensors) {
          if (part.role != TensorRole::kParameter) {
            continue;
          }
          EXPECT_EQ(part.expert, part.name.starts_with("experts.")) << part.name;
          const bool everywhere = part.name.starts_with("norm") || part.name.starts_with("router") ||
                                  part.name == "projection.bias";
          const std::int64_t ranks = (everywhere ? 1 : tp) * (part.expert ? ep : 1);
          EXPECT_EQ(part.elements * ranks, tensor(whole, part.name).elements) << part.name;
        }
      }
    }
  }
}

TEST(ExpertsBlock, GradientsOfRouterAndNormsArePartsWhereTheSequenceIsDivided) {
  for (const bool divided : {false, true}) {
    const Block layer = experts_layer(small_deepseek(), {.tensor = 2, .expert = 2, .divided = divided});
    for (const Tensor& t : layer.tensors) {
      if (t.role == TensorRole::kParameter) {
        const bool whole_everywhere = t.name.starts_with("norm") || t.name.starts_with("router");
        EXPECT_EQ(t.partial_gradient, divided && whole_everywhere) << t.name;
      }
    }
  }
}

TEST(ExpertsBlock, TheRanksOfAGroupComputeWhatOneRankWouldAlone) {
  for (const TransformerConfig& config : expert_styles()) {
    // Products of one rank with its own rows; ranks of an expert-parallel group bring their own microbatches,
    // ranks of a tensor-parallel group divide one.
    std::map<std::pair<std::int64_t, std::int64_t>, double> flops;
    for (const std::int64_t tp : {1, 2}) {
      for (const std::int64_t ep : {1, 2, 4}) {
        const Block layer = experts_layer(config, {.tensor = tp, .expert = ep, .divided = tp > 1});
        for (const auto* list : {&layer.forward, &layer.backward}) {
          for (const GroupedKernel& grouped : *list) {
            flops[{tp, ep}] += is_gemm(grouped.kernel.kind) ? grouped.kernel.flops.value : 0;
          }
        }
      }
    }
    for (const auto& [degrees, value] : flops) {
      const auto& [tp, ep] = degrees;
      if (!config.experts->capacity_factor) {
        EXPECT_DOUBLE_EQ(value * static_cast<double>(tp), (flops[{1, 1}])) << tp << " " << ep;
      }
    }
  }
}

TEST(ExpertsBlock, PermutationsReadARowAsOftenAsItHasExperts) {
  const Block layer = experts_layer(small_mixtral(), {});
  // 16 rows of 16 x 2 B read and written, 16 indices.
  EXPECT_EQ(of_kind(layer.forward, KernelKind::kPermuteTokensForward).at(0).bytes.value, 2 * 512 + 64);
  // 8 rows written, 16 read, with 16 weights and indices.
  EXPECT_EQ(of_kind(layer.forward, KernelKind::kUnpermuteTokensForward).at(0).bytes.value, 256 + 512 + 128);
  // The gradient for each of 16 rows, the rows, their gradients; weights, their gradients, indices.
  EXPECT_EQ(of_kind(layer.backward, KernelKind::kUnpermuteTokensBackward).at(0).bytes.value,
            3 * 512 + 3 * 64);
  // 8 rows read and written, 16 rows and indices read.
  EXPECT_EQ(of_kind(layer.backward, KernelKind::kPermuteTokensBackward).at(0).bytes.value,
            2 * 256 + 512 + 64);
}

TEST(ExpertsBlock, LogitsAreFp32) {
  for (const char* name : {"router.logits", "router.probabilities", "router.logits_gradient"}) {
    EXPECT_EQ(tensor(experts_layer(small_mixtral(), {}), name).element_bytes, 4) << name;
  }
}

}  // namespace
}  // namespace portolan
