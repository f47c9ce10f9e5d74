#include "model/latent_attention.h"

#include "model/attention_core.h"

namespace portolan {

namespace {

const LatentAttention& latent_of(const BlockBuilder& b) { return *b.config().latent; }

std::int64_t heads_of(const BlockBuilder& b) { return b.config().num_heads / b.options().tensor_parallel; }

/// Columns of all heads of a rank.
std::int64_t query_columns(const BlockBuilder& b) { return heads_of(b) * b.config().head_dim(); }
std::int64_t key_value_columns(const BlockBuilder& b) {
  return heads_of(b) * (b.config().head_dim() + b.config().value_dim());
}

/// A product down to `width` columns of each row that a rank holds.
LinearTensors down_projection(BlockBuilder& b, const std::string& name, std::int64_t width) {
  return b.linear_parameters({.name = name,
                              .out = width,
                              .in = b.config().hidden_size,
                              .rows = b.hidden_rows(),
                              .partial_gradient = b.shards_sequence()});
}

/// From a latent vector to its norm and to `columns` of a rank's heads.
UpProjection up_projection(BlockBuilder& b, const std::string& name, int latent, std::int64_t columns) {
  UpProjection t{.latent = latent, .norm = {}, .up = {}, .output = 0};
  const std::int64_t rank = b.elements_of(latent) / b.hidden_rows();
  t.norm = b.norm_forward({.name = name + "_latent_norm", .columns = rank}, latent);
  t.up = b.linear_parameters({.name = name + "_up", .out = columns, .in = rank});
  t.output = b.activation(name + "_up.output", b.rows() * columns);
  b.linear_forward(t.up, t.output, b.whole_rows(name + "_latent_norm.gathered", t.norm.output), false);
  return t;
}

/// Writes the latent vector's gradient, `latent_gradient`.
void up_projection_backward(BlockBuilder& b, const std::string& name, const UpProjection& t,
                            int output_gradient, int latent_gradient) {
  const int norm_gradient =
      b.column_parallel_backward(name + "_latent_norm", t.up, output_gradient, t.norm.output);
  b.norm_backward(t.norm, t.latent, norm_gradient, {latent_gradient, Access::kWrite});
}

/// Returns the gradient of the hidden states of the rows that a rank holds.
int down_projection_backward(BlockBuilder& b, const std::string& name, const LinearTensors& down,
                             int output_gradient, int input) {
  const int gradient = b.activation(name + ".input_gradient", b.hidden_rows() * down.in);
  b.linear_backward_input(down, gradient, output_gradient);
  b.linear_backward_weight(down, output_gradient, input);
  return gradient;
}

int query_forward(BlockBuilder& b, LatentTensors& t, int hidden) {
  const std::int64_t rank = latent_of(b).q_lora_rank;
  if (rank == 0) {
    t.query = b.linear_parameters({.name = "query", .out = query_columns(b), .in = b.config().hidden_size});
    const int output = b.activation("query.output", b.rows() * t.query.out);
    b.linear_forward(t.query, output, b.whole_rows("norm1.gathered", hidden), false);
    return output;
  }
  t.query = down_projection(b, "query_down", rank);
  const int latent = b.activation("query_down.output", b.hidden_rows() * rank);
  b.linear_forward(t.query, latent, hidden, false);
  t.query_up = up_projection(b, "query", latent, query_columns(b));
  return t.query_up->output;
}

/// Returns the gradient of `hidden`.
int query_backward(BlockBuilder& b, const LatentTensors& t, int hidden, int query_gradient) {
  if (!t.query_up) {
    return b.column_parallel_backward("norm1", t.query, query_gradient, hidden);
  }
  const int latent_gradient = b.activation("query_down.gradient", b.hidden_rows() * t.query.out);
  up_projection_backward(b, "query", *t.query_up, query_gradient, latent_gradient);
  return down_projection_backward(b, "query_down", t.query, latent_gradient, hidden);
}

/// Parts of the product down that keys and values come from.
struct SplitTensors {
  int latent = 0;
  int rotary_key = 0;  ///< of the rows that a rank holds
};

KernelShape split_shape(const BlockBuilder& b) {
  return {
      .rows = b.hidden_rows(), .columns = latent_of(b).kv_lora_rank, .inner = latent_of(b).qk_rope_head_dim};
}

SplitTensors down_forward(BlockBuilder& b, LatentTensors& t, int hidden) {
  const LatentAttention& latent = latent_of(b);
  t.key_value_down = down_projection(b, "key_value_down", latent.kv_lora_rank + latent.qk_rope_head_dim);
  const int down = b.activation("key_value_down.output", b.hidden_rows() * t.key_value_down.out);
  b.linear_forward(t.key_value_down, down, hidden, false);
  const KernelShape shape = split_shape(b);
  const SplitTensors parts{.latent = b.activation("key_value_latent", shape.rows * shape.columns),
                           .rotary_key = b.activation("rotary_key", shape.rows * shape.inner)};
  b.launch({.kind = KernelKind::kLatentSplitForward,
            .operands = {{parts.latent, Access::kWrite},
                         {parts.rotary_key, Access::kWrite},
                         {down, Access::kRead}},
            .shape = shape,
            .flops_per_element = 0});
  return parts;
}

/// Returns the gradient of `hidden`.
int down_backward(BlockBuilder& b, const LatentTensors& t, int hidden, const SplitTensors& gradient) {
  const int down_gradient = b.activation("key_value_down.gradient", b.hidden_rows() * t.key_value_down.out);
  b.launch({.kind = KernelKind::kLatentSplitBackward,
            .operands = {{down_gradient, Access::kWrite},
                         {gradient.latent, Access::kRead},
                         {gradient.rotary_key, Access::kRead}},
            .shape = split_shape(b),
            .flops_per_element = 0});
  return down_projection_backward(b, "key_value_down", t.key_value_down, down_gradient, hidden);
}

/// Of the kernel that packs keys and values. Without a fused rotary kernel it copies only.
struct PackCost {
  KernelShape shape;
  double theta = 0;
  double turning = 0;  ///< FLOPs
};

PackCost pack_cost(const BlockBuilder& b) {
  KernelShape shape = attention_shape(b);
  shape.columns = b.config().value_dim();
  shape.inner = latent_of(b).qk_rope_head_dim;
  if (!b.options().fused_rotary) {
    return {.shape = shape};
  }
  return {.shape = shape,
          .theta = b.config().rotary_theta,
          .turning = 3.0 * static_cast<double>(shape.rows * shape.inner)};
}

/// What eager code runs instead of turning within a kernel: the shared key by tensor operations, and for
/// queries a pass more, which joins the turned columns with the others.
void turn_key(BlockBuilder& b, int rotary_key) {
  if (!b.options().fused_rotary) {
    rotate_eagerly(b, rotary_key, b.elements_of(rotary_key));
  }
}
void turn_query(BlockBuilder& b, KernelKind kind, int query) {
  rotate(b, kind, query);
  if (!b.options().fused_rotary) {
    b.elementwise({{query, Access::kUpdate}});
  }
}

int pack_forward(BlockBuilder& b, int up, int rotary_key) {
  turn_key(b, rotary_key);
  const PackCost cost = pack_cost(b);
  const int packed = b.activation("key_value", b.rows() * key_value_columns(b));
  b.launch({.kind = KernelKind::kLatentKeyValueForward,
            .operands = {{packed, Access::kWrite}, {up, Access::kRead}, {rotary_key, Access::kRead}},
            .shape = cost.shape,
            .scalar = cost.theta,
            .flops = Flops(cost.turning)});
  return packed;
}

struct PackGradients {
  int up = 0;
  int rotary_key = 0;  ///< of the rows that a rank holds, summed over the ranks
};
PackGradients pack_backward(BlockBuilder& b, const LatentTensors& t, int packed_gradient) {
  const PackCost cost = pack_cost(b);
  PackGradients gradients;
  gradients.up = b.activation("key_value_up.gradient", b.rows() * t.key_value_up.up.out);
  gradients.rotary_key = b.activation("rotary_key.gradient", b.hidden_rows() * cost.shape.inner);
  const int part = b.part_of("rotary_key.gradient_part", gradients.rotary_key);
  // A sum over the heads that share the key.
  const double sums = static_cast<double>(cost.shape.rows * cost.shape.heads * cost.shape.inner);
  b.launch(
      {.kind = KernelKind::kLatentKeyValueBackward,
       .operands = {{gradients.up, Access::kWrite}, {part, Access::kWrite}, {packed_gradient, Access::kRead}},
       .shape = cost.shape,
       .scalar = cost.theta,
       .flops = Flops(cost.turning + sums)});
  turn_key(b, part);
  b.sum_parts(part, gradients.rotary_key);
  return gradients;
}

}  // namespace

void latent_projections_forward(BlockBuilder& b, LayerTensors& t) {
  LatentTensors& latent = t.latent.emplace();
  const int hidden = t.norm1.output;
  const int query = query_forward(b, latent, hidden);
  const SplitTensors parts = down_forward(b, latent, hidden);
  latent.key_value_up = up_projection(
      b, "key_value", parts.latent, heads_of(b) * (latent_of(b).qk_nope_head_dim + latent_of(b).v_head_dim));
  turn_query(b, KernelKind::kRotaryForward, query);
  const int rotary_key = b.whole_rows("rotary_key.gathered", parts.rotary_key);
  const int packed = pack_forward(b, latent.key_value_up.output, rotary_key);
  t.attended = {.query = query, .key = packed, .value = packed};
}

QueryKeyValue latent_gradient(BlockBuilder& b) {
  const int query = b.activation("query.gradient", b.rows() * query_columns(b));
  const int packed = b.activation("key_value.gradient", b.rows() * key_value_columns(b));
  return {.query = query, .key = packed, .value = packed};
}

int latent_projections_backward(BlockBuilder& b, const LayerTensors& t, const QueryKeyValue& gradient) {
  const LatentTensors& latent = *t.latent;
  const int hidden = t.norm1.output;
  turn_query(b, KernelKind::kRotaryBackward, gradient.query);
  const PackGradients packed = pack_backward(b, latent, gradient.key);
  const SplitTensors parts{
      .latent = b.activation("key_value_latent.gradient", b.hidden_rows() * latent_of(b).kv_lora_rank),
      .rotary_key = packed.rotary_key};
  up_projection_backward(b, "key_value", latent.key_value_up, packed.up, parts.latent);
  const int sum = down_backward(b, latent, hidden, parts);
  add_hidden(b, sum, query_backward(b, latent, hidden, gradient.query));
  return sum;
}

}  // namespace portolan
