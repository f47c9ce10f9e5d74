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

  /// Of all products together.
  std::int64_t width(const KernelShape& shape) const {
    return of_query_width * shape.head_dim + of_value_width * shape.columns;
  }
};
constexpr FlashProducts kForward{.of_query_width = 1, .of_value_width = 1};
constexpr FlashProducts kBackward{.of_query_width = 3, .of_value_width = 2};

/// What a flash kernel reads and writes once each, whatever it keeps in fast memory (Dao et al. 2022, arXiv
/// 2205.14135, theorem 2: no term of scores).
struct FlashElements {
  std::int64_t query = 0;
  std::int64_t key_value = 0;
  std::int64_t context = 0;
  std::int64_t lse = 0;  ///< log-sum-exp of a row's scores, fp32, one a head
};

FlashElements elements_of(const KernelShape& shape) {
  // Of each key that some query sees.
  const std::int64_t keys = shape.window > 0 ? shape.sequence : shape.gemm_n;
  return {.query = shape.rows * shape.heads * shape.head_dim,
          .key_value = shape.batch * keys * shape.kv_heads * (shape.head_dim + shape.columns),
          .context = shape.rows * shape.heads * shape.columns,
          .lse = shape.rows * shape.heads};
}

KernelShape flash_shape(const BlockBuilder& b, const FlashProducts& products, std::int64_t step) {
  KernelShape shape = attention_shape(b);
  shape.columns = b.config().value_dim();
  const std::int64_t count = products.of_query_width + products.of_value_width;
  shape.gemm_batch *= count;
  shape.gemm_m = shape.sequence;
  shape.gemm_n = attended_keys(b.options(), step);
  shape.window = b.options().flash_window;
  shape.gemm_k = products.width(shape) / count;  // their mean, rounded down
  return shape;
}

Flops flash_flops(const BlockBuilder& b, const FlashProducts& products, std::int64_t step) {
  const KernelShape shape = flash_shape(b, products, step);
  return Flops(2.0 * static_cast<double>(attended_pairs(b.options(), step)) *
               static_cast<double>(shape.batch * shape.heads * products.width(shape)));
}

double alibi_of(const BlockBuilder& b) {
  return b.config().position == PositionEncoding::kAlibi ? kAlibiExponent : 0;
}

}  // namespace

FlashOutput flash_output(BlockBuilder& b, const std::string& suffix) {
  const KernelShape shape = attention_shape(b);
  return {
      .context = b.activation("attention.context" + suffix, b.rows() * shape.heads * b.config().value_dim()),
      .lse = b.activation("attention.lse" + suffix, b.rows() * shape.heads, 4)};
}

void flash_forward(BlockBuilder& b, const FlashOutput& output, const QueryKeyValue& attended,
                   std::int64_t step) {
  std::vector<Operand> operands{{output.context, Access::kWrite}, {output.lse, Access::kWrite}};
  append_once(operands, {attended.query, attended.key, attended.value}, Access::kRead);
  const KernelShape shape = flash_shape(b, kForward, step);
  const FlashElements e = elements_of(shape);
  const std::int64_t element = b.options().compute_bytes;
  b.launch({.kind = KernelKind::kFlashAttentionForward,
            .operands = std::move(operands),
            .shape = shape,
            .scalar = alibi_of(b),
            .bytes = Bytes(element * (e.query + e.key_value + e.context) + 4 * e.lse),
            .flops = flash_flops(b, kForward, step)});
}

void flash_backward(BlockBuilder& b, const FlashGradient& t, const QueryKeyValue& attended,
                    std::int64_t step) {
  std::vector<Operand> operands;
  append_once(operands, {t.gradient.query, t.gradient.key, t.gradient.value}, Access::kWrite);
  // Each ring step has keys and values of its own, but the same queries.
  const bool adds_queries = step > 0;
  if (adds_queries) {
    operands.front().access = Access::kUpdate;
  }
  operands.push_back({t.context_gradient, Access::kRead});
  operands.push_back({t.output.context, Access::kRead});
  operands.push_back({t.output.lse, Access::kRead});
  append_once(operands, {attended.query, attended.key, attended.value}, Access::kRead);
  const KernelShape shape = flash_shape(b, kBackward, step);
  const FlashElements e = elements_of(shape);
  const std::int64_t element = b.options().compute_bytes;
  // Queries, keys, values, context: each and its gradient.
  const std::int64_t touched = (adds_queries ? 3 : 2) * e.query + 2 * e.key_value + 2 * e.context;
  b.launch({.kind = KernelKind::kFlashAttentionBackward,
            .operands = std::move(operands),
            .shape = shape,
            .scalar = alibi_of(b),
            .bytes = Bytes(element * touched + 4 * e.lse),
            .flops = flash_flops(b, kBackward, step)});
}

void flash_core_forward(BlockBuilder& b, LayerTensors& t) {
  // One kernel cannot be recomputed in parts: the context belongs to the core here, and where the core is
  // recomputed, neither context nor log-sum-exp is kept. (Megatron-LM keeps a copy of the context for the
  // projection beside the one that it recomputes.)
  b.in_forward(KernelGroup::kAttentionCore);
  const FlashOutput output = flash_output(b, "");
  t.context = output.context;
  t.lse = output.lse;
  flash_forward(b, output, t.attended, 0);
}

void flash_core_backward(BlockBuilder& b, const LayerTensors& t, int context_gradient,
                         const QueryKeyValue& gradient) {
  flash_backward(b,
                 {.context_gradient = context_gradient,
                  .output = {.context = t.context, .lse = t.lse},
                  .gradient = gradient},
                 t.attended, 0);
}

}  // namespace portolan
