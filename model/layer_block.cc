#include <optional>

#include "model/block.h"
#include "model/block_builder.h"

namespace portolan {

namespace {

/// Everything that forward leaves for backward.
struct LayerTensors {
  int input = 0;
  int output = 0;
  int hidden_gradient = 0;    ///< of the output
  int residual_gradient = 0;  ///< of the hidden states between attention and MLP
  int input_gradient = 0;
  NormTensors norm1;
  LinearTensors qkv;
  int qkv_output = 0;
  int probabilities = 0;
  std::optional<int> dropped;  ///< probabilities after dropout
  std::optional<int> attention_mask;
  int context = 0;
  LinearTensors projection;
  int residual = 0;  ///< hidden states between attention and MLP
  std::optional<int> projection_mask;
  NormTensors norm2;
  LinearTensors fc1;
  int fc1_output = 0;
  int activated = 0;
  LinearTensors fc2;
  std::optional<int> fc2_mask;
};

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

/// y += x [+ bias], with dropout of y where the profile has it. Returns the mask.
std::optional<int> residual_add(BlockBuilder& b, const std::string& name, int y, int x,
                                const LinearTensors& linear) {
  std::vector<Operand> operands{{y, Access::kUpdate}, {x, Access::kRead}};
  if (linear.bias) {
    operands.push_back({linear.bias->value, Access::kRead});
  }
  std::optional<int> mask;
  if (b.options().dropout) {
    mask = b.activation(name + ".dropout_mask", b.hidden_rows() * b.config().hidden_size, 1);
    operands.push_back({*mask, Access::kWrite});
  }
  b.launch({.kind = KernelKind::kResidualAdd,
            .operands = std::move(operands),
            .shape = {.rows = b.hidden_rows(), .columns = b.config().hidden_size},
            .flops_per_element = b.options().dropout ? 4.0 : 2.0});
  return mask;
}

void attention_core_forward(BlockBuilder& b, LayerTensors& t) {
  const BlockOptions& o = b.options();
  const std::int64_t heads = b.config().num_heads / o.tensor_parallel;
  const std::int64_t score_elements = o.microbatch_size * heads * o.sequence_length * o.sequence_length;
  t.probabilities = b.activation("attention.probabilities", score_elements);
  b.in_forward(KernelGroup::kAttentionCore);
  b.launch({.kind = KernelKind::kAttentionScoresForward,
            .operands = {{t.probabilities, Access::kWrite}, {t.qkv_output, Access::kRead}},
            .shape = scores_shape(b, 1)});
  const Bytes pass = Bytes(2 * score_elements * o.compute_bytes);
  b.launch({.kind = KernelKind::kAttentionSoftmaxForward,
            .operands = {{t.probabilities, Access::kUpdate}},
            .shape = attention_shape(b),
            .flops_per_element = 6,
            .bytes = o.fused_softmax ? pass : pass * 3});
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

void attention_forward(BlockBuilder& b, LayerTensors& t) {
  const TransformerConfig& c = b.config();
  const std::int64_t tp = b.options().tensor_parallel;
  b.in_forward(KernelGroup::kNorm1);
  t.norm1 = b.norm_forward("norm1", t.input);
  b.in_forward(KernelGroup::kQkv);
  t.qkv = b.linear_parameters(
      {.name = "qkv", .out = c.qkv_size() / tp, .in = c.hidden_size, .bias = c.linear_bias});
  t.qkv_output = b.activation("qkv.output", b.rows() * t.qkv.out);
  b.linear_forward(t.qkv, t.qkv_output, b.whole_rows("norm1.gathered", t.norm1.output), true);
  if (c.position == PositionEncoding::kRotary) {
    b.launch({.kind = KernelKind::kRotaryForward,
              .operands = {{t.qkv_output, Access::kUpdate}},
              .shape = attention_shape(b),
              .scalar = c.rotary_theta,
              .flops_per_element = 3});
  }
  attention_core_forward(b, t);
  b.in_forward(KernelGroup::kProjection);
  t.projection = b.linear_parameters({.name = "projection",
                                      .out = c.hidden_size,
                                      .in = c.hidden_size / tp,
                                      .bias = c.linear_bias,
                                      .residual_projection = true});
  t.residual = b.activation("residual", b.hidden_rows() * c.hidden_size);
  const int part = b.part_of("projection.part", t.residual);
  b.linear_forward(t.projection, part, t.context, false);
  b.sum_parts(part, t.residual);
  t.projection_mask = residual_add(b, "projection", t.residual, t.input, t.projection);
}

void mlp_forward(BlockBuilder& b, LayerTensors& t) {
  const TransformerConfig& c = b.config();
  const std::int64_t ffn = c.ffn_size / b.options().tensor_parallel;
  const bool swiglu = c.activation == Activation::kSwiGlu;
  b.in_forward(KernelGroup::kNorm2);
  t.norm2 = b.norm_forward("norm2", t.residual);
  b.in_forward(KernelGroup::kMlp);
  t.fc1 = b.linear_parameters(
      {.name = "fc1", .out = swiglu ? 2 * ffn : ffn, .in = c.hidden_size, .bias = c.linear_bias});
  t.fc1_output = b.activation("fc1.output", b.rows() * t.fc1.out);
  b.linear_forward(t.fc1, t.fc1_output, b.whole_rows("norm2.gathered", t.norm2.output), true);
  t.activated = b.activation("activation.output", b.rows() * ffn);
  b.launch({.kind = swiglu ? KernelKind::kSwiGluForward : KernelKind::kGeluForward,
            .operands = {{t.activated, Access::kWrite}, {t.fc1_output, Access::kRead}},
            .shape = {.rows = b.rows(), .columns = ffn},
            .flops_per_element = swiglu ? 5.0 : 8.0});
  t.fc2 = b.linear_parameters(
      {.name = "fc2", .out = c.hidden_size, .in = ffn, .bias = c.linear_bias, .residual_projection = true});
  const int part = b.part_of("fc2.part", t.output);
  b.linear_forward(t.fc2, part, t.activated, false);
  b.sum_parts(part, t.output);
  t.fc2_mask = residual_add(b, "fc2", t.output, t.residual, t.fc2);
}

/// Gradient of a dropped-out branch: the hidden gradient itself, or a masked copy.
int branch_gradient(BlockBuilder& b, const std::string& name, int hidden_gradient, std::optional<int> mask) {
  if (!mask) {
    return hidden_gradient;
  }
  const int gradient = b.activation(name + ".output_gradient", b.hidden_rows() * b.config().hidden_size);
  b.launch(
      {.kind = KernelKind::kDropoutBackward,
       .operands = {{gradient, Access::kWrite}, {hidden_gradient, Access::kRead}, {*mask, Access::kRead}},
       .shape = {.rows = b.hidden_rows(), .columns = b.config().hidden_size}});
  return gradient;
}

/// The hidden gradient before and behind a branch that ends in a norm: one tensor where it is turned in
/// place.
struct GradientTurn {
  int from = 0;
  int to = 0;
};

void add_norm_backward(BlockBuilder& b, const NormTensors& norm, int input, int norm_gradient,
                       const GradientTurn& turn) {
  if (turn.from == turn.to) {
    b.norm_backward(norm, input, norm_gradient, {turn.to, Access::kUpdate});
  } else {
    b.norm_backward(norm, input, norm_gradient, {turn.to, Access::kWrite}, turn.from);
  }
}

void mlp_backward(BlockBuilder& b, const LayerTensors& t) {
  const std::int64_t ffn = t.fc2.in;
  const bool swiglu = b.config().activation == Activation::kSwiGlu;
  const int output_gradient = branch_gradient(b, "fc2", t.hidden_gradient, t.fc2_mask);
  const int activated_gradient = b.activation("activation.gradient", b.rows() * ffn);
  b.row_parallel_backward("fc2", t.fc2, output_gradient, t.activated, activated_gradient);
  int fc1_gradient = activated_gradient;
  if (swiglu) {
    fc1_gradient = b.activation("fc1.gradient", b.rows() * t.fc1.out);
    b.launch({.kind = KernelKind::kSwiGluBackward,
              .operands = {{fc1_gradient, Access::kWrite},
                           {activated_gradient, Access::kRead},
                           {t.fc1_output, Access::kRead}},
              .shape = {.rows = b.rows(), .columns = ffn},
              .flops_per_element = 5});
  } else {
    b.launch({.kind = KernelKind::kGeluBackward,
              .operands = {{activated_gradient, Access::kUpdate}, {t.fc1_output, Access::kRead}},
              .shape = {.rows = b.rows(), .columns = ffn},
              .flops_per_element = 14});
  }
  const int norm2_gradient = b.column_parallel_backward("norm2", t.fc1, fc1_gradient, t.norm2.output);
  add_norm_backward(b, t.norm2, t.residual, norm2_gradient, {t.hidden_gradient, t.residual_gradient});
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
  b.launch({.kind = KernelKind::kAttentionScoresBackward,
            .operands = {{qkv_gradient, Access::kUpdate},
                         {scores_gradient, Access::kRead},
                         {t.qkv_output, Access::kRead}},
            .shape = context_shape(b, 2)});
  return qkv_gradient;
}

void attention_backward(BlockBuilder& b, const LayerTensors& t) {
  const TransformerConfig& c = b.config();
  const int output_gradient = branch_gradient(b, "projection", t.residual_gradient, t.projection_mask);
  const int context_gradient = b.activation("attention.context_gradient", b.rows() * t.projection.in);
  b.row_parallel_backward("projection", t.projection, output_gradient, t.context, context_gradient);
  const int qkv_gradient = attention_core_backward(b, t, context_gradient);
  if (c.position == PositionEncoding::kRotary) {
    b.launch({.kind = KernelKind::kRotaryBackward,
              .operands = {{qkv_gradient, Access::kUpdate}},
              .shape = attention_shape(b),
              .scalar = c.rotary_theta,
              .flops_per_element = 3});
  }
  const int norm1_gradient = b.column_parallel_backward("norm1", t.qkv, qkv_gradient, t.norm1.output);
  add_norm_backward(b, t.norm1, t.input, norm1_gradient, {t.residual_gradient, t.input_gradient});
}

}  // namespace

Block layer_block(const TransformerConfig& config, const BlockOptions& options) {
  BlockBuilder b("layer", config, options);
  const std::int64_t elements = b.hidden_rows() * config.hidden_size;
  LayerTensors t;
  t.input = b.port("input", TensorRole::kInput, elements, options.compute_bytes);
  t.output = b.port("output", TensorRole::kOutput, elements, options.compute_bytes);
  t.hidden_gradient = b.port("hidden_gradient", TensorRole::kHiddenGradient, elements, options.compute_bytes);
  t.residual_gradient = t.input_gradient = t.hidden_gradient;
  if (options.split_backward) {
    t.residual_gradient = b.activation("residual.gradient", elements);
    t.input_gradient = b.port("input_gradient", TensorRole::kInputGradient, elements, options.compute_bytes);
  }
  attention_forward(b, t);
  mlp_forward(b, t);
  b.in_backward();
  mlp_backward(b, t);
  attention_backward(b, t);
  return b.finish();
}

}  // namespace portolan
