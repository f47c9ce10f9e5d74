#include "model/attended_pairs.h"
#include "model/attention_core.h"

namespace portolan {

namespace {

/// Matrix products of one flash kernel, by the width that each multiplies or makes a pair of query and key
/// with. Forward: scores from queries and keys, context from values. Backward, where scores are made again:
/// scores, gradients of queries and of keys; gradients of scores and of values (Dao 2023, arXiv 2307.08691,
/// section 4.1: five products against two).
struct FlashProducts {
  std::int64_t of_query_width = 0;
  std::int64_t of_value_width = 0;
};
constexpr FlashProducts kForward{.of_query_width = 1, .of_value_width = 1};
constexpr FlashProducts kBackward{.of_query_width = 3, .of_value_width = 2};

/// Columns of a row: what a flash kernel reads and writes once each, whatever it keeps in fast memory
/// (Dao et al. 2022, arXiv 2205.14135, theorem 2: no term of scores).
struct FlashColumns {
  std::int64_t query = 0;
  std::int64_t key_value = 0;
  std::int64_t context = 0;
  std::int64_t lse = 0;  ///< log-sum-exp of a row's scores, fp32, one a head
};

FlashColumns columns_of(const KernelShape& shape) {
  return {.query = shape.heads * shape.head_dim,
          .key_value = shape.kv_heads * (shape.head_dim + shape.columns),
          .context = shape.heads * shape.columns,
          .lse = shape.heads};
}

KernelShape flash_shape(const BlockBuilder& b, const FlashProducts& products) {
  KernelShape shape = attention_shape(b);
  shape.columns = shape.head_dim;
  const std::int64_t count = products.of_query_width + products.of_value_width;
  const std::int64_t width =
      products.of_query_width * shape.head_dim + products.of_value_width * shape.columns;
  shape.gemm_batch *= count;
  shape.gemm_m = shape.sequence;
  shape.gemm_n = shape.sequence;
  shape.gemm_k = width / count;  // their mean
  return shape;
}

Flops flash_flops(const KernelShape& shape, const FlashProducts& products, std::int64_t pairs) {
  const std::int64_t width =
      products.of_query_width * shape.head_dim + products.of_value_width * shape.columns;
  return Flops(2.0 * static_cast<double>(pairs) * static_cast<double>(shape.batch * shape.heads * width));
}

double alibi_of(const BlockBuilder& b) {
  return b.config().position == PositionEncoding::kAlibi ? kAlibiExponent : 0;
}

}  // namespace

void flash_core_forward(BlockBuilder& b, LayerTensors& t) {
  // One kernel cannot be recomputed in parts: attention's context belongs to the core here, and where the
  // core is recomputed, neither context nor log-sum-exp is kept. (Megatron-LM keeps a copy of the context for
  // the projection beside the one that it recomputes.)
  b.in_forward(KernelGroup::kAttentionCore);
  const KernelShape shape = flash_shape(b, kForward);
  const FlashColumns columns = columns_of(shape);
  t.context = b.activation("attention.context", b.rows() * columns.context);
  t.lse = b.activation("attention.lse", b.rows() * columns.lse, 4);
  std::vector<Operand> operands{{t.context, Access::kWrite}, {t.lse, Access::kWrite}};
  append_once(operands, {t.attended.query, t.attended.key, t.attended.value}, Access::kRead);
  const std::int64_t element = b.options().compute_bytes;
  b.launch({.kind = KernelKind::kFlashAttentionForward,
            .operands = std::move(operands),
            .shape = shape,
            .scalar = alibi_of(b),
            .bytes = Bytes(b.rows() * (element * (columns.query + columns.key_value + columns.context) +
                                       4 * columns.lse)),
            .flops = flash_flops(shape, kForward, attended_pairs(b.options()))});
}

void flash_core_backward(BlockBuilder& b, const LayerTensors& t, int context_gradient,
                         const QueryKeyValue& gradient) {
  const KernelShape shape = flash_shape(b, kBackward);
  const FlashColumns columns = columns_of(shape);
  std::vector<Operand> operands;
  append_once(operands, {gradient.query, gradient.key, gradient.value}, Access::kWrite);
  operands.push_back({context_gradient, Access::kRead});
  operands.push_back({t.context, Access::kRead});
  operands.push_back({t.lse, Access::kRead});
  append_once(operands, {t.attended.query, t.attended.key, t.attended.value}, Access::kRead);
  const std::int64_t element = b.options().compute_bytes;
  // Queries, keys, values, context: each and its gradient.
  b.launch({.kind = KernelKind::kFlashAttentionBackward,
            .operands = std::move(operands),
            .shape = shape,
            .scalar = alibi_of(b),
            .bytes = Bytes(b.rows() * (2 * element * (columns.query + columns.key_value + columns.context) +
                                       4 * columns.lse)),
            .flops = flash_flops(shape, kBackward, attended_pairs(b.options()))});
}

}  // namespace portolan
