#pragma once

#include <string>
#include <vector>

#include "base/quantity.h"
#include "model/kernel.h"
#include "model/transformer.h"

namespace portolan {

/// What a framework makes of a model on one rank: shards, element sizes, fusions.
struct BlockOptions {
  std::int64_t microbatch_size = 1;  ///< sequences
  std::int64_t sequence_length = 1;  ///< tokens, over all context-parallel ranks
  std::int64_t tensor_parallel = 1;
  std::int64_t expert_parallel = 1;  ///< of a layer's experts, a rank holds num_experts / expert_parallel
  /// Every rank of a group holds a part of each sequence, and keys and values go round in a ring (Liu et al.
  /// 2023, arXiv 2310.01889). The parts are zigzag: of 2 x context_parallel blocks, rank r holds r and
  /// 2 x context_parallel - 1 - r, so that all have as much of the causal triangle (Llama 3, arXiv
  /// 2407.21783, section 3.3.2). Above 1: needs flash_attention.
  std::int64_t context_parallel = 1;
  /// Norms, residual additions and hidden states are divided along the sequence over the tensor-parallel
  /// group (Korthikanti et al. 2022, arXiv 2205.05198, section 4.2.2).
  bool sequence_parallel = false;
  /// Gradients of hidden states are not turned in place: weight gradients read them after the block's
  /// backward has passed on.
  bool split_backward = false;
  /// Communication of backward runs beside the weight-gradient products.
  bool overlap_tensor = false;
  std::int64_t vocab_padding = 1;  ///< the vocabulary is padded to a multiple of this x tensor_parallel
  /// Factors of the layers' linear products are fp8 (model/fp8.cc); needs compute_bytes 2.
  bool fp8_linear = false;
  std::int64_t compute_bytes = 4;   ///< element size of activations and of parameters in compute: 2 or 4
  std::int64_t gradient_bytes = 4;  ///< element size of accumulated parameter gradients
  /// Gradients add to what is there; else each backward writes its own, which is then reduced and added.
  bool accumulate_gradients = true;
  bool dropout = false;
  bool logits_in_fp32 = true;
  /// The weight-gradient product accumulates into the gradient buffer itself; otherwise a further pass adds
  /// it.
  bool fused_gradient_accumulation = true;
  /// Otherwise, and where they add up in a wider type: gradients of matrices in compute width stay until the
  /// next microbatch's, those of the word embedding too; one pass widens them, another adds.
  bool keep_narrow_gradients = false;
  // Features of SoftwareProfile: one kernel where eager code runs one for each tensor operation.
  bool fused_softmax = true;
  bool fused_norms = true;
  bool fused_activation = true;
  bool fused_dropout_add = true;
  bool fused_rotary = true;
  bool fused_residual_gradient = true;
  bool fused_logits_conversion = true;
  std::int64_t cross_entropy_passes = 2;  ///< over the logits in forward, reads and writes
  std::int64_t logits_metrics = 0;  ///< losses of the logits in forward beside the one that is trained on
  /// Scores, softmax, dropout and context are one kernel, which keeps neither scores nor a mask: backward
  /// makes the scores again (Dao et al. 2022, arXiv 2205.14135).
  bool flash_attention = false;
  /// That kernel leaves out the scores above the diagonal (Dao 2023, arXiv 2307.08691, section 3.1.1).
  bool flash_skips_masked = false;
  /// And those that lie before a sliding window: keys that it computes for a query at most, itself included;
  /// 0: all. Needs flash_skips_masked and whole sequences (context_parallel 1).
  std::int64_t flash_window = 0;

  bool operator==(const BlockOptions&) const = default;

  bool keeps_narrow_gradients() const {
    return keep_narrow_gradients && accumulate_gradients && !fused_gradient_accumulation &&
           gradient_bytes > compute_bytes;
  }
  /// Tokens of a sequence that a rank holds, those of its tensor-parallel group together.
  std::int64_t local_sequence() const { return sequence_length / context_parallel; }
};

std::int64_t padded_vocab(const TransformerConfig& config, const BlockOptions& options);

enum class TensorRole : std::uint8_t {
  kInput,           ///< hidden states entering the block; of the embedding: none
  kOutput,          ///< hidden states leaving it
  kHiddenGradient,  ///< gradient of kOutput, of the head that of kInput; turned in place to that of kInput
                    ///< ...
  kInputGradient,   ///< ... unless this is there: with split_backward
  kTokens,          ///< int32 tokens or targets
  kParameter,
  kGradient,        ///< of the parameter that precedes it
  kNarrowGradient,  ///< one microbatch's of a parameter, with keep_narrow_gradients
  kActivation,      ///< anything else made and used within the block
  kLoss,            ///< sum of token losses, fp64
};

enum class ParameterInit : std::uint8_t { kNone, kZeros, kOnes, kNormal, kScaledNormal };

struct Tensor {
  std::string name;  ///< "norm1.output"
  TensorRole role = TensorRole::kActivation;
  std::int64_t elements = 0;
  std::int64_t element_bytes = 4;
  ParameterInit init = ParameterInit::kNone;
  double init_std = 0;  ///< of kNormal and kScaledNormal (GPT-2: residual projections by 1/sqrt(2 layers))
  bool weight_decay = false;       ///< matrices yes, biases and norms no
  bool tied_to_embedding = false;  ///< the head's use of the word embedding
  /// Of a parameter: each rank of the tensor-parallel group has the whole of it and sees a part of the
  /// sequence or of the heads, so that its gradient is a part of the sum.
  bool partial_gradient = false;
  /// Of a parameter: each rank of the expert-parallel group has other experts'. Gradients are summed over the
  /// data-parallel ranks that hold the same ones.
  bool expert = false;
  std::int64_t rows =
      1;  ///< of a parameter that is a matrix, of all experts' one below the other; 1: a vector

  Bytes bytes() const { return Bytes(elements * element_bytes); }
  bool operator==(const Tensor&) const = default;
};

/// Parts of a layer that recomputation can name. A tensor is written by kernels of one group only.
enum class KernelGroup : std::uint8_t {
  kNorm1,
  kQkv,
  kAttentionCore,
  kAttentionContext,
  kProjection,
  kNorm2,
  kMlp,
  kOther
};
inline constexpr int kNumKernelGroups = static_cast<int>(KernelGroup::kOther) + 1;

struct GroupedKernel {
  Kernel kernel;
  KernelGroup group = KernelGroup::kOther;
  /// Communication: compute waits for it only where it touches what it writes, or writes what it reads.
  bool overlapped = false;

  bool operator==(const GroupedKernel&) const = default;
};

/// The embedding, one layer, or the head: a list of kernels each way over named tensors. Which activations
/// are saved from forward to backward follows from use: whatever `backward` reads and `forward` made.
struct Block {
  std::string name;
  std::vector<Tensor> tensors;
  std::vector<GroupedKernel> forward;
  std::vector<GroupedKernel> backward;

  bool operator==(const Block&) const = default;
};

/// Which of `block.backward` make weight gradients and nothing else: what a split backward may put off.
std::vector<bool> weight_gradient_kernels(const Block& block);

Block embedding_block(const TransformerConfig& config, const BlockOptions& options);
/// With kExperts: model/experts.h says what is modelled.
Block layer_block(const TransformerConfig& config, const BlockOptions& options,
                  LayerKind kind = LayerKind::kDense);
/// Final norm, projection to the vocabulary, cross-entropy. `loss_scale`: 1 / tokens of the global batch.
Block head_block(const TransformerConfig& config, const BlockOptions& options, double loss_scale);

/// FLOPs that the model itself needs for one sequence, forward and backward, without recomputation: matrix
/// products of layers and head, attention counted whole (not causal; with a sliding window, as many keys for
/// each query as it holds), of experts those that a token passes.
/// Source: Narayanan et al., SC'21, appendix, without the recomputation term: 72 s l h^2 (1 + s/6h + V/12hl)
/// for GPT.
Flops model_flops_per_sequence(const TransformerConfig& config, std::int64_t sequence_length);

}  // namespace portolan
