#include "model/layer_parts.h"

namespace portolan {

namespace {

/// Rows are those of the microbatch, columns one head's.
KernelShape norm_shape(const BlockBuilder& b) {
  const TransformerConfig& c = b.config();
  const std::int64_t tp = b.options().tensor_parallel;
  return {
      .rows = b.rows(), .heads = c.num_heads / tp, .kv_heads = c.num_kv_heads / tp, .head_dim = c.head_dim()};
}

/// Every rank of a tensor-parallel group holds the gain whole and sees its own heads only.
ParameterPair gain(BlockBuilder& b, const std::string& name) {
  return b.parameter({.name = name,
                      .elements = b.config().head_dim(),
                      .init = ParameterInit::kOnes,
                      .partial_gradient = b.options().tensor_parallel > 1});
}

}  // namespace

void query_key_norm_forward(BlockBuilder& b, LayerTensors& t) {
  const KernelShape shape = norm_shape(b);
  const std::int64_t heads = shape.rows * (shape.heads + shape.kv_heads);
  t.query_key = b.activation("query_key.output", heads * shape.head_dim);
  t.query_key_norm = {.rstd = b.activation("query_key.rstd", heads, 4),
                      .query_gain = gain(b, "query_norm.gain"),
                      .key_gain = gain(b, "key_norm.gain")};
  const QueryKeyNorm& norm = *t.query_key_norm;
  // Of qkv, values are not touched.
  const std::int64_t element = b.options().compute_bytes;
  b.launch({.kind = KernelKind::kQueryKeyNormForward,
            .operands = {{t.query_key, Access::kWrite},
                         {norm.rstd, Access::kWrite},
                         {t.qkv_output, Access::kRead},
                         {norm.query_gain.value, Access::kRead},
                         {norm.key_gain.value, Access::kRead}},
            .shape = shape,
            .scalar = b.config().norm_epsilon,
            .flops_per_element = 4,
            .bytes = Bytes((2 * heads + 2) * shape.head_dim * element + 4 * heads)});
}

void query_key_norm_backward(BlockBuilder& b, const LayerTensors& t, int qkv_gradient) {
  const KernelShape shape = norm_shape(b);
  const std::int64_t heads = shape.rows * (shape.heads + shape.kv_heads);
  const QueryKeyNorm& norm = *t.query_key_norm;
  // The gradient read and written, qkv read; gains, and their gradients once or read and written.
  const std::int64_t passes = b.gradient_access() == Access::kUpdate ? 2 : 1;
  const std::int64_t element = b.options().compute_bytes;
  const std::int64_t gains = 2 * shape.head_dim * (element + passes * b.options().gradient_bytes);
  b.launch({.kind = KernelKind::kQueryKeyNormBackward,
            .operands = {{qkv_gradient, Access::kUpdate},
                         {norm.query_gain.gradient, b.gradient_access()},
                         {norm.key_gain.gradient, b.gradient_access()},
                         {t.qkv_output, Access::kRead},
                         {norm.rstd, Access::kRead},
                         {norm.query_gain.value, Access::kRead},
                         {norm.key_gain.value, Access::kRead}},
            .shape = shape,
            .flops_per_element = 9,
            .bytes = Bytes(3 * heads * shape.head_dim * element + 4 * heads + gains)});
}

}  // namespace portolan
