#include "model/layer_parts.h"

namespace portolan {

namespace {

KernelShape attention_shape(const BlockBuilder& b) {
  const TransformerConfig& c = b.config();
  const BlockOptions& o = b.options();
  const std::int64_t heads = c.num_heads / o.tensor_parallel;
  return {.rows = b.rows(),
          .batch = o.microbatch_size,
          .sequence = o.sequence_length,
          .heads = heads,
          .kv_heads = c.num_kv_heads / o.tensor_parallel,
          .head_dim = c.head_dim(),
          .gemm_batch = o.microbatch_size * heads};
}

/// Scores and their gradient: (sequence, head_dim) x (head_dim, sequence); `products` of them a head.
KernelShape scores_shape(const BlockBuilder& b, std::int64_t products) {
  KernelShape shape = attention_shape(b);
  shape.gemm_batch *= products;
  shape.gemm_m = shape.sequence;
  shape.gemm_n = shape.sequence;
  shape.gemm_k = shape.head_dim;
  return shape;
}

/// Context and query/key gradients: (sequence, sequence) x (sequence, head_dim).
KernelShape context_shape(const BlockBuilder& b, std::int64_t products) {
  KernelShape shape = attention_shape(b);
  shape.gemm_batch *= products;
  shape.gemm_m = shape.sequence;
  shape.gemm_n = shape.head_dim;
  shape.gemm_k = shape.sequence;
  return shape;
}

/// Where softmax does not do it: the scores, or their gradient, are scaled and masked by a kernel each.
void scale_and_mask(BlockBuilder& b, int scores) {
  if (!b.options().fused_softmax) {
    b.elementwise({{scores, Access::kUpdate}});
    b.elementwise({{scores, Access::kUpdate}});
  }
}

void attention_core_forward(BlockBuilder& b, LayerTensors& t) {
  const BlockOptions& o = b.options();
  const std::int64_t heads = b.config().num_heads / o.tensor_parallel;
  const std::int64_t score_elements = o.microbatch_size * heads * o.sequence_length * o.sequence_length;
  t.probabilities = b.activation("attention.probabilities", score_elements);
  b.in_forward(KernelGroup::kAttentionCore);
  b.launch({.kind = KernelKind::kAttentionScoresForward,
            .operands = {{t.probabilities, Access::kWrite}, {t.query_key, Access::kRead}},
            .shape = scores_shape(b, 1)});
  scale_and_mask(b, t.probabilities);
  // ALiBi is a product and a sum more for each score, from a slope a head: no bytes.
  const bool alibi = b.config().position == PositionEncoding::kAlibi;
  b.launch({.kind = KernelKind::kAttentionSoftmaxForward,
            .operands = {{t.probabilities, Access::kUpdate}},
            .shape = attention_shape(b),
            .scalar = alibi ? kAlibiExponent : 0,
            .flops_per_element = alibi ? 8.0 : 6.0});
  int weights = t.probabilities;
  if (o.dropout) {
    t.dropped = b.activation("attention.dropped", score_elements);
    t.attention_mask = b.activation("attention.dropout_mask", score_elements, 1);
    weights = *t.dropped;
    b.launch({.kind = KernelKind::kAttentionDropoutForward,
              .operands = {{*t.dropped, Access::kWrite},
                           {*t.attention_mask, Access::kWrite},
                           {t.probabilities, Access::kRead}},
              .shape = attention_shape(b),
              .flops_per_element = 2});
  }
  b.in_forward(KernelGroup::kAttentionContext);
  t.context = b.activation("attention.context", b.rows() * heads * b.config().head_dim());
  b.launch(
      {.kind = KernelKind::kAttentionContextForward,
       .operands = {{t.context, Access::kWrite}, {weights, Access::kRead}, {t.qkv_output, Access::kRead}},
       .shape = context_shape(b, 1)});
}

/// Writes the gradient of qkv.output.
int attention_core_backward(BlockBuilder& b, const LayerTensors& t, int context_gradient) {
  const BlockOptions& o = b.options();
  const std::int64_t heads = b.config().num_heads / o.tensor_parallel;
  const std::int64_t score_elements = o.microbatch_size * heads * o.sequence_length * o.sequence_length;
  const int scores_gradient = b.activation("attention.scores_gradient", score_elements);
  const int qkv_gradient = b.activation("qkv.gradient", b.rows() * t.qkv.out);
  b.launch({.kind = KernelKind::kAttentionContextBackward,
            .operands = {{scores_gradient, Access::kWrite},
                         {qkv_gradient, Access::kWrite},
                         {context_gradient, Access::kRead},
                         {t.dropped.value_or(t.probabilities), Access::kRead},
                         {t.qkv_output, Access::kRead}},
            .shape = scores_shape(b, 2)});
  if (o.dropout) {
    b.launch({.kind = KernelKind::kAttentionDropoutBackward,
              .operands = {{scores_gradient, Access::kUpdate}, {*t.attention_mask, Access::kRead}},
              .shape = attention_shape(b)});
  }
  b.launch({.kind = KernelKind::kAttentionSoftmaxBackward,
            .operands = {{scores_gradient, Access::kUpdate}, {t.probabilities, Access::kRead}},
            .shape = attention_shape(b),
            .flops_per_element = 5});
  scale_and_mask(b, scores_gradient);
  b.launch({.kind = KernelKind::kAttentionScoresBackward,
            .operands = {{qkv_gradient, Access::kUpdate},
                         {scores_gradient, Access::kRead},
                         {t.query_key, Access::kRead}},
            .shape = context_shape(b, 2)});
  return qkv_gradient;
}

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
  attention_core_forward(b, t);
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
  const int qkv_gradient = attention_core_backward(b, t, context_gradient);
  rotate(b, KernelKind::kRotaryBackward, qkv_gradient);
  if (t.query_key_norm) {
    query_key_norm_backward(b, t, qkv_gradient);
  }
  return b.column_parallel_backward("norm1", t.qkv, qkv_gradient, t.norm1.output);
}

}  // namespace portolan
