#include "model/attention_core.h"
#include "model/latent_attention.h"
#include "model/layer_parts.h"

namespace portolan {

namespace {

/// Queries, keys and values out of one projection.
void fused_projection_forward(BlockBuilder& b, LayerTensors& t) {
  const TransformerConfig& c = b.config();
  t.qkv = b.linear_parameters({.name = "qkv",
                               .out = c.qkv_size() / b.options().tensor_parallel,
                               .in = c.hidden_size,
                               .bias = c.has_qkv_bias()});
  t.qkv_output = b.activation("qkv.output", b.rows() * t.qkv.out);
  b.linear_forward(t.qkv, t.qkv_output, b.whole_rows("norm1.gathered", t.norm1.output), true);
  t.query_key = t.qkv_output;
  if (c.query_key_norm) {
    query_key_norm_forward(b, t);
  }
  rotate(b, KernelKind::kRotaryForward, t.query_key);
  t.attended = {.query = t.query_key, .key = t.query_key, .value = t.qkv_output};
}

/// Returns the gradient of the norm's output.
int fused_projection_backward(BlockBuilder& b, const LayerTensors& t, int qkv_gradient) {
  rotate(b, KernelKind::kRotaryBackward, qkv_gradient);
  if (t.query_key_norm) {
    query_key_norm_backward(b, t, qkv_gradient);
  }
  return b.column_parallel_backward("norm1", t.qkv, qkv_gradient, t.norm1.output);
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
  t.norm1 = b.norm_forward({.name = "norm1"}, t.input);
  b.in_forward(KernelGroup::kQkv);
  if (c.latent) {
    latent_projections_forward(b, t);
  } else {
    fused_projection_forward(b, t);
  }
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
  if (t.latent) {
    const QueryKeyValue gradient = latent_gradient(b);
    core_backward(b, t, context_gradient, gradient);
    return latent_projections_backward(b, t, gradient);
  }
  const int qkv_gradient = b.activation("qkv.gradient", b.rows() * t.qkv.out);
  core_backward(b, t, context_gradient, {.query = qkv_gradient, .key = qkv_gradient, .value = qkv_gradient});
  return fused_projection_backward(b, t, qkv_gradient);
}

}  // namespace portolan
