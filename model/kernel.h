#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/quantity.h"

namespace portolan {

/// Everything a device can be asked to compute. `kernels/` has one function for each; costs, files and
/// divergence tables go by these names.
enum class KernelKind : std::uint8_t {
  kLoadTokens,
  kEmbeddingForward,
  kEmbeddingBackward,
  kLayerNormForward,
  kLayerNormBackward,
  kRmsNormForward,
  kRmsNormBackward,
  kLinearForward,
  kLinearBackwardInput,
  kLinearBackwardWeight,
  kBiasBackward,
  kRotaryForward,
  kRotaryBackward,
  kLatentSplitForward,
  kLatentSplitBackward,
  kLatentKeyValueForward,
  kLatentKeyValueBackward,
  kQueryKeyNormForward,
  kQueryKeyNormBackward,
  kAttentionScoresForward,
  kAttentionScoresBackward,
  kAttentionSoftmaxForward,
  kAttentionSoftmaxBackward,
  kAttentionDropoutForward,
  kAttentionDropoutBackward,
  kAttentionContextForward,
  kAttentionContextBackward,
  kFlashAttentionForward,
  kFlashAttentionBackward,
  kContextMerge,
  kKeyValuePack,
  kKeyValueUnpack,
  kGradientAdd,
  kGeluForward,
  kGeluBackward,
  kSwiGluForward,
  kSwiGluBackward,
  kReluForward,
  kReluBackward,
  kResidualAdd,
  kBranchSum,
  kDropoutBackward,
  kCrossEntropyForward,
  kCrossEntropyBackward,
  kRouterTopKForward,
  kRouterTopKBackward,
  kPermuteTokensForward,
  kPermuteTokensBackward,
  kUnpermuteTokensForward,
  kUnpermuteTokensBackward,
  kGradientConvert,
  kBufferCopy,
  kFp8Cast,
  kElementwise,
  kFillZero,
  // Of compressed sums of gradients (plan/compressed_sum.h).
  kGradientScale,
  kGradientPack,
  kGradientUnpack,
  kQuantizedSum,
  kTopKSelect,
  kTopKScatter,
  kLowRankProduct,
  kOrthogonalize,
  kLowRankExpand,
  kAdamW,
  // Communication over the tensor-parallel group, and one each over the expert-parallel and the
  // context-parallel group. Lowering makes ops of their own of these.
  kTensorAllReduce,
  kTensorAllGather,
  kTensorReduceScatter,
  /// Every rank sends an equal part to every other. `bytes`: all that a rank holds, its own part included.
  kExpertAllToAll,
  /// Every rank sends to the next of its ring and receives as much from the one before. `bytes`: sent.
  kContextShift,
};
inline constexpr int kNumKernelKinds = static_cast<int>(KernelKind::kContextShift) + 1;

/// "linear_forward" and so on: the word in files and tables.
std::string_view kernel_name(KernelKind kind);
std::optional<KernelKind> find_kernel(std::string_view name);
/// Not computed: what a block asks of its group between kernels.
bool is_communication(KernelKind kind);
/// A matrix product: its time is looked up by shape.gemm_*. All others but communication are memory-bound.
bool is_gemm(KernelKind kind);
/// A product of a large matrix with a few columns in fp32: memory-bound while these are few.
bool is_low_rank(KernelKind kind);
/// Products within the attention core: many small matrices, slower than one large one.
bool is_attention_gemm(KernelKind kind);
/// All products of the attention core and its softmax in one kernel, no matrix of scores in memory.
bool is_flash_attention(KernelKind kind);

/// Sizes of one kernel on one rank. A field that a kind does not use is 0.
struct KernelShape {
  std::int64_t rows = 0;     ///< microbatch x sequence, rows of experts, or elements of a flat kernel
  std::int64_t columns = 0;  ///< output features, hidden size, vocabulary; rotated columns where not all are;
                             ///< of flash and of latent attention: width of a head's value
  std::int64_t inner = 0;    ///< input features of a linear layer, experts of a token; of latent attention:
                             ///< columns of the rotary key; of low-rank products: the rank
  std::int64_t batch = 0;    ///< sequences in the microbatch
  std::int64_t sequence = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t gemm_batch = 0;  ///< products of gemm_m x gemm_n x gemm_k each: heads, experts
  std::int64_t gemm_m = 0;
  std::int64_t gemm_n = 0;
  std::int64_t gemm_k = 0;
  std::int64_t window = 0;        ///< of flash attention: keys computed for a query at most; 0: to the first
  std::int64_t factor_bytes = 0;  ///< element size of a product's factors: 1, fp8; 0: as wide as in compute

  bool operator==(const KernelShape&) const = default;
};

/// The scalar of an attention softmax with ALiBi: of n heads, head i (from 1) adds -2^(-8 i / n) x distance
/// to its scores. Source: Press et al. 2021, arXiv 2108.12409, section 3.
inline constexpr double kAlibiExponent = 8;

enum class Access : std::uint8_t { kRead, kWrite, kUpdate };

/// A tensor that a kernel touches; which argument it is follows from its place (kernel.cc documents each).
struct Operand {
  int tensor = 0;  ///< index into the owner's tensors (model) or buffers (Program)
  Access access = Access::kRead;

  bool operator==(const Operand&) const = default;
};

/// One launch on one rank.
struct Kernel {
  KernelKind kind = KernelKind::kFillZero;
  KernelShape shape;
  /// What is executed: masked attention products counted whole, unless a flash kernel skips them.
  Flops flops;
  Bytes bytes;  ///< read and written, each operand once; payload of a collective
  std::vector<Operand> operands;
  double scalar = 0;  ///< norm epsilon, rotary theta, loss scale or kAlibiExponent, by kind

  bool operator==(const Kernel&) const = default;
};

}  // namespace portolan
