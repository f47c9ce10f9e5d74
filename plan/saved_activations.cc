#include <cmath>

#include "plan/memory.h"

namespace portolan {

namespace {

/// Bytes of an element that a linear product's weight gradient reads: with fp8 a copy of one byte.
std::int64_t factor_bytes(const BlockOptions& options) {
  return options.fp8_linear ? 1 : options.compute_bytes;
}

/// Bytes of fc1's output and of the activation's for a token and a column of width `ffn_size`: SwiGLU's input
/// has two halves; of ReLU's, whose output says what passed, nothing is kept.
std::int64_t kept_by_activation(Activation activation, const BlockOptions& options) {
  const std::int64_t factor = factor_bytes(options);
  switch (activation) {
    case Activation::kGelu:
      return options.compute_bytes + factor;
    case Activation::kSwiGlu:
      return 2 * options.compute_bytes + factor;
    case Activation::kRelu:
      break;
  }
  return options.compute_bytes + (options.fp8_linear ? factor : 0);
}

/// Of a layer with experts, behind its second norm: fp32 logits and weights and int32 indices of the experts
/// picked, for `rows` tokens; what experts read, made and returned; shared experts as any MLP.
std::int64_t saved_by_experts(const TransformerConfig& model, const BlockOptions& options,
                              std::int64_t rows) {
  const MixtureOfExperts& x = *model.experts;
  const std::int64_t t = options.tensor_parallel;
  const std::int64_t element = options.compute_bytes;
  const std::int64_t picked = rows * x.experts_per_token;
  std::int64_t sent = picked;
  if (x.capacity_factor) {
    const double balanced = static_cast<double>(picked) / static_cast<double>(x.num_experts);
    sent = x.num_experts * static_cast<std::int64_t>(std::ceil(*x.capacity_factor * balanced));
  }
  // Of all ranks of a tensor-parallel group that divides sequences.
  const std::int64_t computed = options.sequence_parallel ? sent * t : sent;
  const std::int64_t tokens = options.microbatch_size * options.sequence_length / options.context_parallel;
  const std::int64_t columns = computed * x.expert_ffn_size + tokens * x.shared_ffn_size;
  return 4 * rows * x.num_experts + 8 * picked +
         model.hidden_size * (factor_bytes(options) * computed + element * sent) +
         kept_by_activation(model.activation, options) * columns / t;
}

/// Of the projections of latent attention: for each of `rows` and each latent vector the vector, its norm and
/// 4 B of statistics; for each of `tokens` queries, keys and values of a rank's heads.
std::int64_t saved_by_latent_projections(const TransformerConfig& model, const BlockOptions& options,
                                         std::int64_t rows, std::int64_t tokens) {
  const LatentAttention& latent = *model.latent;
  const std::int64_t element = options.compute_bytes;
  const std::int64_t query_key = latent.qk_nope_head_dim + latent.qk_rope_head_dim;
  const std::int64_t head = 2 * query_key + latent.v_head_dim;
  const std::int64_t norms = latent.q_lora_rank == 0 ? 1 : 2;
  const bool gathers = options.sequence_parallel && options.tensor_parallel > 1;
  const std::int64_t norm_output = gathers ? element : factor_bytes(options);
  return rows * ((element + norm_output) * (latent.q_lora_rank + latent.kv_lora_rank) + 4 * norms) +
         element * tokens * model.num_heads / options.tensor_parallel * head;
}

bool recomputes(const RecomputeSet& set, KernelGroup group) {
  return set.test(static_cast<std::size_t>(group));
}

}  // namespace

Bytes saved_layer_activations(const TransformerConfig& model, const BlockOptions& options,
                              const RecomputeSet& set, LayerKind kind) {
  const std::int64_t t = options.tensor_parallel;
  const std::int64_t element = options.compute_bytes;
  // s b, of which context-parallel ranks hold a part each.
  const std::int64_t tokens = options.microbatch_size * options.sequence_length / options.context_parallel;
  // Sequence parallelism divides what tensor parallelism leaves whole (section 4.2.2, equation 4).
  const std::int64_t rows = options.sequence_parallel ? tokens / t : tokens;
  const std::int64_t hidden = rows * model.hidden_size;                                // s b h, or s b h / t
  const std::int64_t qkv = tokens * model.qkv_size() / t;                              // s b (h + 2 h_kv) / t
  const std::int64_t ffn = tokens * model.ffn_size / t;                                // s b f / t
  const std::int64_t scores = tokens * options.sequence_length * model.num_heads / t;  // a s^2 b / t
  const std::int64_t statistics = rows * 4 * (model.normalization == Normalization::kLayerNorm ? 2 : 1);
  const std::int64_t mask = options.dropout ? 1 : 0;
  // Copies of queries and keys with their norms, and the reciprocal deviation of each head's.
  const std::int64_t heads = tokens * (model.num_heads + model.num_kv_heads) / t;
  const std::int64_t query_key = model.query_key_norm ? heads * (element * model.head_dim() + 4) : 0;

  std::int64_t bytes = element * hidden;  // the layer's input, always kept
  const auto keep = [&](KernelGroup group, std::int64_t size) { bytes += recomputes(set, group) ? 0 : size; };
  const bool gathers = options.sequence_parallel && t > 1;
  // With fp8 a product reads a copy that is made with it: kept, unless all rows are gathered again.
  const auto norm_output = [&](KernelGroup product, bool gathered) {
    return options.fp8_linear && !gathered && !recomputes(set, product) ? 0 : element * hidden;
  };
  const std::int64_t hidden_copy = options.fp8_linear && !gathers ? hidden : 0;
  if (model.latent) {  // products down read the rows that a rank holds
    const bool gathers_queries = gathers && model.latent->q_lora_rank == 0;
    keep(KernelGroup::kNorm1, norm_output(KernelGroup::kQkv, gathers_queries) + statistics);
    keep(KernelGroup::kQkv,
         saved_by_latent_projections(model, options, rows, tokens) + (options.fp8_linear ? hidden : 0));
  } else {
    keep(KernelGroup::kNorm1, norm_output(KernelGroup::kQkv, gathers) + statistics);
    keep(KernelGroup::kQkv, element * qkv + query_key + hidden_copy);
  }
  const std::int64_t context = element * tokens * model.context_size() / t;
  if (options.flash_attention) {  // context and the log-sum-exp of each row and head; no scores, no mask
    keep(KernelGroup::kAttentionCore, context + 4 * tokens * model.num_heads / t);
  } else {
    keep(KernelGroup::kAttentionCore, scores * (element + mask * (element + 1)));
    const bool copied = options.fp8_linear && !recomputes(set, KernelGroup::kProjection);
    keep(KernelGroup::kAttentionContext, copied ? 0 : context);
  }
  keep(KernelGroup::kProjection, options.fp8_linear ? context / element : 0);
  if (!model.parallel_residual) {  // the hidden state between attention and MLP
    keep(KernelGroup::kProjection, element * hidden + mask * hidden);
  }
  if (kind == LayerKind::kExperts) {  // the router reads the norm's output itself
    const bool shared = model.experts->shared_ffn_size > 0;
    keep(KernelGroup::kNorm2, element * hidden + statistics);
    keep(KernelGroup::kMlp,
         mask * hidden + saved_by_experts(model, options, rows) + (shared ? hidden_copy : 0));
  } else {
    keep(KernelGroup::kNorm2, norm_output(KernelGroup::kMlp, gathers) + statistics);
    keep(KernelGroup::kMlp,
         mask * hidden + hidden_copy + kept_by_activation(model.activation, options) * ffn);
  }
  return Bytes(bytes);
}

}  // namespace portolan
