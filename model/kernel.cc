#include "model/kernel.h"

#include <array>

namespace portolan {

namespace {

// Operands of each kind, in order. w: written, u: updated in place, otherwise read; [] where the model has
// it. The executor unpacks by these places.
constexpr std::array<std::string_view, kNumKernelKinds> kNames = {
    "load_tokens",                // tokens w
    "embedding_forward",          // x w, tokens, word, [position]
    "embedding_backward",         // dword u, dx, tokens, [dposition u]
    "layernorm_forward",          // y w, mean w, rstd w, x, gain, bias
    "layernorm_backward",         // dx w or u, dgain u, dbias u, dy, x, mean, rstd, gain, [added]
    "rmsnorm_forward",            // y w, rstd w, x, gain
    "rmsnorm_backward",           // dx w or u, dgain u, dy, x, rstd, gain, [added]
    "linear_forward",             // y w, x, weight, [bias]
    "linear_backward_input",      // dx w, dy, weight
    "linear_backward_weight",     // dweight u, dy, x
    "bias_backward",              // dbias u, dy
    "rotary_forward",             // qkv u; of latent attention: queries alone
    "rotary_backward",            // dqkv u
    "latent_split_forward",       // latent w, rotary key w, down
    "latent_split_backward",      // ddown w, dlatent, drotary key
    "latent_key_value_forward",   // kv w, up, rotary key
    "latent_key_value_backward",  // dup w, drotary key w, dkv
    "query_key_norm_forward",     // qk w, rstd w, qkv, query gain, key gain
    "query_key_norm_backward",    // dqkv u, dquery gain u, dkey gain u, qkv, rstd, query gain, key gain
    // With tensors apart for queries and for keys and values (latent attention, a ring of ranks): q, kv and
    // dq, dkv for qkv and dqkv. Where queries and keys are a copy: qk, qkv.
    "attention_scores_forward",    // scores w, qkv
    "attention_scores_backward",   // dqkv u, dscores, qkv
    "attention_softmax_forward",   // scores u
    "attention_softmax_backward",  // dprobabilities u, probabilities
    "attention_dropout_forward",   // dropped w, mask w, probabilities
    "attention_dropout_backward",  // dprobabilities u, mask
    "attention_context_forward",   // context w, probabilities, qkv
    "attention_context_backward",  // dprobabilities w, dqkv w, dcontext, probabilities, qkv
    "flash_attention_forward",     // context w, lse w, qkv
    "flash_attention_backward",    // dqkv w or u, dcontext, context, lse, qkv
    "context_merge",               // context u, lse u, context of a step, its lse
    "key_value_pack",              // kv w, qkv; where keys are a copy: kv w, qk, qkv
    "key_value_unpack",            // dqkv u, dkv
    "gradient_add",                // gradient u, addend
    "gelu_forward",                // y w, x
    "gelu_backward",               // dy to dx u, x
    "swiglu_forward",              // y w, x
    "swiglu_backward",             // dx w, dy, x
    "relu_forward",                // y w, x
    "relu_backward",               // dy to dx u, y
    "residual_add",                // y u, x, [bias], [mask w]
    "branch_sum",                  // sum w, attention, mlp, [attention bias, mlp bias]
    "dropout_backward",            // dx w, dy, mask
    "cross_entropy_forward",       // logits to probabilities u, loss u, targets
    "cross_entropy_backward",      // probabilities to dlogits u, targets
    "router_topk_forward",         // probabilities w, indices w, logits, [bias]
    "router_topk_backward",        // dlogits w, dprobabilities, logits, indices, [dbias u: load]
    "permute_tokens_forward",      // dispatched w, x, indices
    "permute_tokens_backward",     // dx u, ddispatched, indices
    "unpermute_tokens_forward",    // y w, returned, probabilities, indices
    "unpermute_tokens_backward",   // dreturned w, dprobabilities w, dy, returned, probabilities, indices
    "gradient_convert",            // dweight u, narrow dweight
    "buffer_copy",                 // buffer w, tensors; or tensors w, buffer: as wide or converted
    "fp8_cast",                    // straight copy w, transposed copy w, x; or one of the copies
    "elementwise",                 // y w or u, others that are read: a tensor operation of eager code
    "fill_zero",                   // x w
    "gradient_scale",              // scale w, gradients: the largest magnitude
    "gradient_pack",               // packed w, gradients, [scale]: rounded to fewer bits
    "gradient_unpack",             // gradients w, packed: widened
    "quantized_sum",               // part w (packed or gradients), received: widened, added, rounded again
    "topk_select",                 // values with places w, residuals u: those sent become 0
    "topk_scatter",                // gradients w, values with places of all ranks
    "low_rank_product",            // factor w, residual matrix, other factor
    "orthogonalize",               // factor u: its columns
    "low_rank_expand",             // gradient w, residual u, both factors
    "adamw",                       // parameter u, gradient, moment1 u, moment2 u
    "tensor_all_reduce",           // x u
    "tensor_all_gather",           // whole w, shard
    "tensor_reduce_scatter",       // shard w, whole
    "expert_all_to_all",           // received w, sent
    "context_shift",               // received w, sent
};

}  // namespace

std::string_view kernel_name(KernelKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

std::optional<KernelKind> find_kernel(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) {
      return static_cast<KernelKind>(i);
    }
  }
  return std::nullopt;
}

bool is_communication(KernelKind kind) {
  return kind == KernelKind::kTensorAllReduce || kind == KernelKind::kTensorAllGather ||
         kind == KernelKind::kTensorReduceScatter || kind == KernelKind::kExpertAllToAll ||
         kind == KernelKind::kContextShift;
}

bool is_attention_gemm(KernelKind kind) {
  return kind == KernelKind::kAttentionScoresForward || kind == KernelKind::kAttentionScoresBackward ||
         kind == KernelKind::kAttentionContextForward || kind == KernelKind::kAttentionContextBackward ||
         is_flash_attention(kind);
}

bool is_flash_attention(KernelKind kind) {
  return kind == KernelKind::kFlashAttentionForward || kind == KernelKind::kFlashAttentionBackward;
}

bool is_gemm(KernelKind kind) {
  return is_attention_gemm(kind) || kind == KernelKind::kLinearForward ||
         kind == KernelKind::kLinearBackwardInput || kind == KernelKind::kLinearBackwardWeight;
}

bool is_low_rank(KernelKind kind) {
  return kind == KernelKind::kLowRankProduct || kind == KernelKind::kLowRankExpand;
}

}  // namespace portolan
