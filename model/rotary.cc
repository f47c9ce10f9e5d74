#include "model/attention_core.h"

namespace portolan {

/// Eager code converts to fp32, multiplies, and converts back, as LLaMA's reference code does
/// (meta-llama/llama, apply_rotary_emb in llama/model.py).
void rotate_eagerly(BlockBuilder& b, int tensor, std::int64_t elements) {
  const std::int64_t narrow = b.options().compute_bytes;
  for (const std::int64_t width : {narrow + 4, std::int64_t{8}, 4 + narrow}) {
    b.elementwise({{tensor, Access::kUpdate}}, Bytes(elements * width));
  }
}

void rotate(BlockBuilder& b, KernelKind kind, int tensor) {
  const TransformerConfig& c = b.config();
  if (c.position != PositionEncoding::kRotary) {
    return;
  }
  KernelShape shape = attention_shape(b);
  std::int64_t turned = c.rotary_dim.value_or(c.head_dim());
  if (c.latent) {
    shape.kv_heads = 0;
    turned = c.latent->qk_rope_head_dim;
  }
  const std::int64_t elements = b.rows() * (shape.heads + shape.kv_heads) * turned;
  std::optional<Bytes> bytes;
  if (turned < c.head_dim()) {
    shape.columns = turned;
    bytes = Bytes(2 * elements * b.options().compute_bytes);
  }
  if (!b.options().fused_rotary) {
    rotate_eagerly(b, tensor, elements);
    return;
  }
  b.launch({.kind = kind,
            .operands = {{tensor, Access::kUpdate}},
            .shape = shape,
            .scalar = c.rotary_theta,
            .flops_per_element = 3.0 * static_cast<double>(turned) / static_cast<double>(c.head_dim()),
            .bytes = bytes});
}

}  // namespace portolan
