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
  const std::int64_t fc1 = model.activation == Activation::kSwiGlu ? 2 * ffn : ffn;

  std::int64_t bytes = element * hidden;  // the layer's input, always kept
  const auto keep = [&](KernelGroup group, std::int64_t size) { bytes += recomputes(set, group) ? 0 : size; };
  keep(KernelGroup::kNorm1, element * hidden + statistics);
  keep(KernelGroup::kQkv, element * qkv);
  keep(KernelGroup::kAttentionCore, scores * (element + mask * (element + 1)));
  keep(KernelGroup::kProjection,
       element * hidden + mask * hidden);  // the hidden state between attention and MLP
  keep(KernelGroup::kNorm2, element * hidden + statistics);
  keep(KernelGroup::kMlp, element * (fc1 + ffn) + mask * hidden);
  keep(KernelGroup::kAttentionContext, element * tokens * model.hidden_size / t);
  return Bytes(bytes);
}

}  // namespace portolan
