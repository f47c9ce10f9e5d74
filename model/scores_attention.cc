#include <algorithm>
#include <cassert>

#include "model/attention_core.h"

namespace portolan {

KernelShape attention_shape(const BlockBuilder& b) {
  const TransformerConfig& c = b.config();
  const BlockOptions& o = b.options();
  const std::int64_t heads = c.num_heads / o.tensor_parallel;
  return {.rows = b.rows(),
          .batch = o.microbatch_size,
          .sequence = o.local_sequence(),
          .heads = heads,
          .kv_heads = c.num_kv_heads / o.tensor_parallel,
          .head_dim = c.head_dim(),
          .gemm_batch = o.microbatch_size * heads};
}

void append_once(std::vector<Operand>& operands, std::initializer_list<int> tensors, Access access) {
  const std::size_t first = operands.size();
  for (const int tensor : tensors) {
    const bool there = std::any_of(operands.begin() + static_cast<std::ptrdiff_t>(first), operands.end(),
                                   [&](const Operand& operand) { return operand.tensor == tensor; });
    if (!there) {
      operands.push_back({tensor, access});
    }
  }
}

namespace {

/// Matrix products of a kernel for each head, and the width of what they multiply with scores or make them
/// of: a query's and key's, or a value's.
struct ScoreProducts {
  std::int64_t count = 0;
  std::int64_t width = 0;
};

KernelShape products_shape(const BlockBuilder& b, const ScoreProducts& products) {
  KernelShape shape = attention_shape(b);
  shape.columns = b.config().latent ? b.config().value_dim() : 0;
  shape.gemm_batch *= products.count;
  shape.gemm_m = shape.sequence;
  return shape;
}

/// Scores and their gradient: (sequence, width) x (width, sequence).
KernelShape scores_shape(const BlockBuilder& b, const ScoreProducts& products) {
  KernelShape shape = products_shape(b, products);
  shape.gemm_n = shape.sequence;
  shape.gemm_k = products.width;
  return shape;
}

/// Context and query/key gradients: (sequence, sequence) x (sequence, width).
KernelShape context_shape(const BlockBuilder& b, const ScoreProducts& products) {
  KernelShape shape = products_shape(b, products);
  shape.gemm_n = products.width;
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

}  // namespace

void scores_core_forward(BlockBuilder& b, LayerTensors& t) {
  const BlockOptions& o = b.options();
  assert(o.context_parallel == 1);
  const std::int64_t heads = b.config().num_heads / o.tensor_parallel;
  const std::int64_t score_elements = o.microbatch_size * heads * o.sequence_length * o.sequence_length;
  t.probabilities = b.activation("attention.probabilities", score_elements);
  b.in_forward(KernelGroup::kAttentionCore);
  std::vector<Operand> scored{{t.probabilities, Access::kWrite}};
  append_once(scored, {t.attended.query, t.attended.key}, Access::kRead);
  b.launch({.kind = KernelKind::kAttentionScoresForward,
            .operands = std::move(scored),
            .shape = scores_shape(b, {.count = 1, .width = b.config().head_dim()})});
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
  t.context = b.activation("attention.context", b.rows() * heads * b.config().value_dim());
  b.launch(
      {.kind = KernelKind::kAttentionContextForward,
       .operands = {{t.context, Access::kWrite}, {weights, Access::kRead}, {t.attended.value, Access::kRead}},
       .shape = context_shape(b, {.count = 1, .width = b.config().value_dim()})});
}

void scores_core_backward(BlockBuilder& b, const LayerTensors& t, int context_gradient,
                          const QueryKeyValue& gradient) {
  const BlockOptions& o = b.options();
  const std::int64_t heads = b.config().num_heads / o.tensor_parallel;
  const std::int64_t score_elements = o.microbatch_size * heads * o.sequence_length * o.sequence_length;
  const int scores_gradient = b.activation("attention.scores_gradient", score_elements);
  b.launch({.kind = KernelKind::kAttentionContextBackward,
            .operands = {{scores_gradient, Access::kWrite},
                         {gradient.value, Access::kWrite},
                         {context_gradient, Access::kRead},
                         {t.dropped.value_or(t.probabilities), Access::kRead},
                         {t.attended.value, Access::kRead}},
            .shape = scores_shape(b, {.count = 2, .width = b.config().value_dim()})});
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
  // What holds values too was begun by the kernel above.
  std::vector<Operand> operands{
      {gradient.query, gradient.query == gradient.value ? Access::kUpdate : Access::kWrite}};
  if (gradient.key != gradient.query) {
    operands.push_back({gradient.key, Access::kUpdate});
  }
  operands.push_back({scores_gradient, Access::kRead});
  append_once(operands, {t.attended.query, t.attended.key}, Access::kRead);
  b.launch({.kind = KernelKind::kAttentionScoresBackward,
            .operands = std::move(operands),
            .shape = context_shape(b, {.count = 2, .width = b.config().head_dim()})});
}

}  // namespace portolan
