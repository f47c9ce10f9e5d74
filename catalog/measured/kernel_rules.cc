#include "catalog/measured/kernel_rules.h"

#include <cctype>
#include <span>
#include <string>

namespace portolan {

namespace {

/// A name matches where it has all words, one after another, in upper or lower case.
struct KernelRule {
  std::string_view words;
  TimeKind kind;
};

// The first rule that matches counts. A new kernel is one line.
constexpr KernelRule kKernelRules[] = {
    // NCCL: ncclDevKernel_AllReduce_Sum_bf16_RING_LL, ncclKernel_SendRecv_RING_SIMPLE_...
    {"nccl allreduce", TimeKind::kAllReduce},
    {"nccl reducescatter", TimeKind::kReduceScatter},
    {"nccl allgather", TimeKind::kAllGather},
    {"nccl broadcast", TimeKind::kBroadcast},
    {"nccl alltoall", TimeKind::kAllToAll},
    {"nccl sendrecv", TimeKind::kSendReceive},
    {"nccl", TimeKind::kUnknown},
    // CUDA's own: "Memcpy HtoD (Pageable -> Device)". Within a device they are passes over memory.
    {"memcpy dtod", TimeKind::kElementwise},
    {"memcpy", TimeKind::kCopy},
    {"memset", TimeKind::kElementwise},
    // Optimizers: PyTorch's foreach and fused ones, Apex, Transformer Engine.
    {"multi_tensor_apply", TimeKind::kOptimizer},
    {"multitensorapply", TimeKind::kOptimizer},
    {"multi_tensor", TimeKind::kOptimizer},
    {"adam", TimeKind::kOptimizer},
    // Attention in one kernel: FlashAttention 1 to 3, xFormers, cuDNN. Before products, which CUTLASS names
    // too.
    {"flash_fwd", TimeKind::kAttention},
    {"flash_bwd", TimeKind::kAttention},
    {"flash_fprop", TimeKind::kAttention},
    {"flash_bprop", TimeKind::kAttention},
    {"flash::", TimeKind::kAttention},
    {"flashattn", TimeKind::kAttention},
    {"flash_attn", TimeKind::kAttention},
    {"flashattention", TimeKind::kAttention},
    {"fmha", TimeKind::kAttention},
    {"sdpa", TimeKind::kAttention},
    {"attention_kernel", TimeKind::kAttention},
    // Norms: PyTorch, Apex, Transformer Engine, Triton's fused ones.
    {"layernorm", TimeKind::kNorm},
    {"layer_norm", TimeKind::kNorm},
    {"rmsnorm", TimeKind::kNorm},
    {"rms_norm", TimeKind::kNorm},
    {"ln_fwd", TimeKind::kNorm},
    {"ln_bwd", TimeKind::kNorm},
    {"rowwisemoments", TimeKind::kNorm},
    {"gammabeta", TimeKind::kNorm},
    {"cucomputegradinput", TimeKind::kNorm},
    {"computegradientfusedparams", TimeKind::kNorm},
    {"computeinternalgradients", TimeKind::kNorm},
    // Softmax: of scores (Megatron's scaled_masked_softmax_warp_forward), of the loss (cunn_SoftMaxForward).
    {"softmax", TimeKind::kSoftmax},
    {"cross_entropy", TimeKind::kSoftmax},
    {"crossentropy", TimeKind::kSoftmax},
    {"nll_loss", TimeKind::kSoftmax},
    // Matrix products: cuBLAS (ampere_bf16_s16816gemm_..., sm80_xmma_gemm_..., nvjet_...), CUTLASS, Triton.
    {"gemm", TimeKind::kGemm},
    {"gemv", TimeKind::kGemm},
    {"cutlass", TimeKind::kGemm},
    {"xmma", TimeKind::kGemm},
    {"nvjet", TimeKind::kGemm},
    {"cublas", TimeKind::kGemm},
    {"splitkreduce", TimeKind::kGemm},
    {"matmul", TimeKind::kGemm},
    {"triton_mm", TimeKind::kGemm},
    {"triton_tem_fused", TimeKind::kGemm},
    {"dot_kernel", TimeKind::kGemm},
    // Embeddings: look-up and the sum of gradients by token.
    {"embedding", TimeKind::kEmbedding},
    {"indexselect", TimeKind::kEmbedding},
    {"index_select", TimeKind::kEmbedding},
    {"gather_kernel", TimeKind::kEmbedding},
    {"compute_grad_weight", TimeKind::kEmbedding},
    {"sum_and_scatter", TimeKind::kEmbedding},
    {"krn_partial", TimeKind::kEmbedding},
    // Passes over memory.
    {"elementwise", TimeKind::kElementwise},
    {"reduce_kernel", TimeKind::kElementwise},
    {"dropout", TimeKind::kElementwise},
    {"gelu", TimeKind::kElementwise},
    {"silu", TimeKind::kElementwise},
    {"swiglu", TimeKind::kElementwise},
    {"relu", TimeKind::kElementwise},
    {"dgated", TimeKind::kElementwise},
    {"bias", TimeKind::kElementwise},
    {"rope", TimeKind::kElementwise},
    {"rotary", TimeKind::kElementwise},
    {"catarray", TimeKind::kElementwise},
    {"copy_kernel", TimeKind::kElementwise},
    {"chunk_cat", TimeKind::kElementwise},
    {"split_with_sizes", TimeKind::kElementwise},
    {"fill", TimeKind::kElementwise},
    {"transpose", TimeKind::kElementwise},
    {"permute", TimeKind::kElementwise},
    {"cast", TimeKind::kElementwise},
    {"quantize", TimeKind::kElementwise},
    {"amax", TimeKind::kElementwise},
    {"topk", TimeKind::kElementwise},
    {"scatter", TimeKind::kElementwise},
    {"gather", TimeKind::kElementwise},
    {"index", TimeKind::kElementwise},
    {"scan", TimeKind::kElementwise},
    {"sort", TimeKind::kElementwise},
    {"distribution_", TimeKind::kElementwise},
    {"cub::", TimeKind::kElementwise},
    {"thrust::", TimeKind::kElementwise},
    {"triton_", TimeKind::kElementwise},
};

constexpr KernelRule kCollectiveRules[] = {
    {"all_reduce", TimeKind::kAllReduce},
    {"allreduce", TimeKind::kAllReduce},
    {"reduce_scatter", TimeKind::kReduceScatter},
    {"reducescatter", TimeKind::kReduceScatter},
    {"all_gather", TimeKind::kAllGather},
    {"allgather", TimeKind::kAllGather},
    {"all_to_all", TimeKind::kAllToAll},
    {"alltoall", TimeKind::kAllToAll},
    {"broadcast", TimeKind::kBroadcast},
    {"send", TimeKind::kSendReceive},
    {"recv", TimeKind::kSendReceive},
};

TimeKind first_match(std::string_view name, std::span<const KernelRule> rules) {
  std::string lower(name);
  for (char& c : lower) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  const auto matches = [&](std::string_view words) {
    std::size_t from = 0;
    while (!words.empty()) {
      const std::size_t blank = words.find(' ');
      const std::string_view word = words.substr(0, blank);
      const std::size_t found = lower.find(word, from);
      if (found == std::string::npos) {
        return false;
      }
      from = found + word.size();
      words = blank == std::string_view::npos ? std::string_view() : words.substr(blank + 1);
    }
    return true;
  };
  for (const KernelRule& rule : rules) {
    if (matches(rule.words)) {
      return rule.kind;
    }
  }
  return TimeKind::kUnknown;
}

}  // namespace

TimeKind time_kind_of_kernel(std::string_view name) { return first_match(name, kKernelRules); }

TimeKind time_kind_of_collective(std::string_view name) { return first_match(name, kCollectiveRules); }

}  // namespace portolan
