#include "plan/memory.h"

namespace portolan {

namespace {

bool recomputes(const RecomputeSet& set, KernelGroup group) {
  return set.test(static_cast<std::size_t>(group));
}

}  // namespace

Bytes saved_layer_activations(const TransformerConfig& model, const BlockOptions& options,
                              const RecomputeSet& set) {
  const std::int64_t t = options.tensor_parallel;
  const std::int64_t element = options.compute_bytes;
  const std::int64_t tokens = options.microbatch_size * options.sequence_length;  // s b
  // Sequence parallelism divides what tensor parallelism leaves whole (section 4.2.2, equation 4).
  const std::int64_t rows = options.sequence_parallel ? tokens / t : tokens;
  const std::int64_t hidden = rows * model.hidden_size;                                // s b h, or s b h / t
  const std::int64_t qkv = tokens * model.qkv_size() / t;                              // s b (h + 2 h_kv) / t
  const std::int64_t ffn = tokens * model.ffn_size / t;                                // s b f / t
  const std::int64_t scores = tokens * options.sequence_length * model.num_heads / t;  // a s^2 b / t
  const std::int64_t statistics = rows * 4 * (model.normalization == Normalization::kLayerNorm ? 2 : 1);
  const std::int64_t mask = options.dropout ? 1 : 0;
  // The input of the activation: two halves with SwiGLU, none with ReLU, whose output says what passed.
  const std::int64_t fc1 = model.activation == Activation::kRelu     ? 0
                           : model.activation == Activation::kSwiGlu ? 2 * ffn
                                                                     : ffn;
  // Copies of queries and keys with their norms, and the reciprocal deviation of each head's.
  const std::int64_t heads = tokens * (model.num_heads + model.num_kv_heads) / t;
  const std::int64_t query_key = model.query_key_norm ? heads * (element * model.head_dim() + 4) : 0;

  std::int64_t bytes = element * hidden;  // the layer's input, always kept
  const auto keep = [&](KernelGroup group, std::int64_t size) { bytes += recomputes(set, group) ? 0 : size; };
  keep(KernelGroup::kNorm1, element * hidden + statistics);
  keep(KernelGroup::kQkv, element * qkv + query_key);
  keep(KernelGroup::kAttentionCore, scores * (element + mask * (element + 1)));
  if (!model.parallel_residual) {  // the hidden state between attention and MLP
    keep(KernelGroup::kProjection, element * hidden + mask * hidden);
  }
  keep(KernelGroup::kNorm2, element * hidden + statistics);
  keep(KernelGroup::kMlp, element * (fc1 + ffn) + mask * hidden);
  keep(KernelGroup::kAttentionContext, element * tokens * model.context_size() / t);
  return Bytes(bytes);
}

}  // namespace portolan
