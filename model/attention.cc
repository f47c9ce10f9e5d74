#include "model/attention_core.h"
#include "model/layer_parts.h"

namespace portolan {

namespace {

/// Turns queries and keys by their positions, in place. Eager code converts them to fp32, multiplies, and
/// converts back, as LLaMA's reference code does (meta-llama/llama, apply_rotary_emb in llama/model.py).
void rotate(BlockBuilder& b, KernelKind kind, int tensor) {
  const TransformerConfig& c = b.config();
  if (c.position != PositionEncoding::kRotary) {
    return;
  }
  KernelShape shape = attention_shape(b);
  const std::int64_t turned = c.rotary_dim.value_or(c.head_dim());
  std::optional<Bytes> bytes;
  if (turned < c.head_dim()) {
    shape.columns = turned;
    bytes = Bytes(2 * b.rows() * (shape.heads + shape.kv_heads) * turned * b.options().compute_bytes);
  }
  if (!b.options().fused_rotary) {
    const std::int64_t elements = b.rows() * (shape.heads + shape.kv_heads) * turned;
    const std::int64_t narrow = b.options().compute_bytes;
    for (const std::int64_t width : {narrow + 4, std::int64_t{8}, 4 + narrow}) {
      b.elementwise({{tensor, Access::kUpdate}}, Bytes(elements * width));
    }
    return;
  }
  b.launch({.kind = kind,
            .operands = {{tensor, Access::kUpdate}},
            .shape = shape,
            .scalar = c.rotary_theta,
            .flops_per_element = 3.0 * static_cast<double>(turned) / static_cast<double>(c.head_dim()),
            .bytes = bytes});
}

void core_forward(BlockBuilder& b, LayerTensors& t) {
  if (b.options().context_parallel > 1) {
    ring_core_forward(b, t);
  } else if (b.options().flash_attention) {
    flash_core_forward(b, t);
  } else {
    scores_core_forward(b, t);
  }
}

void core_backward(BlockBuilder& b, const LayerTensors& t, int context_gradient,
                   const QueryKeyValue& gradient) {
  if (b.options().context_parallel > 1) {
    ring_core_backward(b, t, context_gradient, gradient);
  } else if (b.options().flash_attention) {
    flash_core_backward(b, t, context_gradient, gradient);
  } else {
    scores_core_backward(b, t, context_gradient, gradient);
  }
}

}  // namespace

void attention_forward(BlockBuilder& b, LayerTensors& t) {
  const TransformerConfig& c = b.config();
  const std::int64_t tp = b.options().tensor_parallel;
  b.in_forward(KernelGroup::kNorm1);
  t.norm1 = b.norm_forward("norm1", t.input);
  b.in_forward(KernelGroup::kQkv);
  t.qkv = b.linear_parameters(
      {.name = "qkv", .out = c.qkv_size() / tp, .in = c.hidden_size, .bias = c.has_qkv_bias()});
  t.qkv_output = b.activation("qkv.output", b.rows() * t.qkv.out);
  b.linear_forward(t.qkv, t.qkv_output, b.whole_rows("norm1.gathered", t.norm1.output), true);
  t.query_key = t.qkv_output;
  if (c.query_key_norm) {
    query_key_norm_forward(b, t);
  }
  rotate(b, KernelKind::kRotaryForward, t.query_key);
  t.attended = {.query = t.query_key, .key = t.query_key, .value = t.qkv_output};
  core_forward(b, t);
  b.in_forward(KernelGroup::kProjection);
  t.projection = b.linear_parameters({.name = "projection",
                                      .out = c.hidden_size,
                                      .in = c.context_size() / tp,
                                      .bias = c.linear_bias,
                                      .residual_projection = true});
  if (c.parallel_residual) {
    t.attention_part = b.activation("projection.part", b.rows() * c.hidden_size);
    b.linear_forward(t.projection, t.attention_part, t.context, false);
    t.residual = t.input;
    return;
  }
  t.residual = b.activation("residual", b.hidden_rows() * c.hidden_size);
  const int part = b.part_of("projection.part", t.residual);
  b.linear_forward(t.projection, part, t.context, false);
  b.sum_parts(part, t.residual);
  t.projection_mask = residual_add(b, "projection", t.residual, t.input, t.projection.bias);
}

int attention_backward(BlockBuilder& b, const LayerTensors& t, const HiddenGradient& output) {
  const int context_gradient = b.activation("attention.context_gradient", b.rows() * t.projection.in);
  b.row_parallel_backward(t.projection, output, t.context, context_gradient);
  const int qkv_gradient = b.activation("qkv.gradient", b.rows() * t.qkv.out);
  const QueryKeyValue gradient{.query = qkv_gradient, .key = qkv_gradient, .value = qkv_gradient};
  core_backward(b, t, context_gradient, gradient);
  rotate(b, KernelKind::kRotaryBackward, qkv_gradient);
  if (t.query_key_norm) {
    query_key_norm_backward(b, t, qkv_gradient);
  }
  return b.column_parallel_backward("norm1", t.qkv, qkv_gradient, t.norm1.output);
}

}  // namespace portolan
