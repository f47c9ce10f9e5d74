#include <algorithm>

#include "kernels/host/attention.h"
#include "kernels/host/blas.h"

namespace portolan::host {
namespace {

using operands::AttentionShape;

// Below, `lower` is a head's (sequence, sequence) matrix that is 0, or not wanted, above the diagonal.

struct Head {
  std::int64_t sequence;
  std::int64_t head_dim;
};

/// The columns of one head within a wider matrix.
struct Columns {
  const float* data;  // (sequence, head_dim)
  std::int64_t stride;
};

struct MutableColumns {
  float* data;  // (sequence, head_dim)
  std::int64_t stride;
};

/// lower(sequence, sequence) = left right^T, without the blocks above the diagonal.
void multiply_to_lower(const Head& head, const Columns& left, const Columns& right, float* lower) {
  for (std::int64_t first = 0; first < head.sequence; first += kAttentionBlock) {
    const std::int64_t last = std::min(first + kAttentionBlock, head.sequence);
    multiply({.rows = last - first,
              .columns = last,
              .inner = head.head_dim,
              .a = {.data = left.data + first * left.stride, .stride = left.stride},
              .b = {.data = right.data, .stride = right.stride, .transposed = true},
              .c = lower + first * head.sequence,
              .c_stride = head.sequence});
  }
}

/// out(sequence, head_dim) = lower right.
void multiply_lower(const Head& head, const float* lower, const Columns& right, const MutableColumns& out) {
  for (std::int64_t first = 0; first < head.sequence; first += kAttentionBlock) {
    const std::int64_t last = std::min(first + kAttentionBlock, head.sequence);
    multiply({.rows = last - first,
              .columns = head.head_dim,
              .inner = last,
              .a = {.data = lower + first * head.sequence, .stride = head.sequence},
              .b = {.data = right.data, .stride = right.stride},
              .c = out.data + first * out.stride,
              .c_stride = out.stride});
  }
}

/// out(sequence, head_dim) = lower^T right, or += for every query head of a group but its first.
void multiply_lower_transposed(const Head& head, const float* lower, const Columns& right,
                               const MutableColumns& out, bool accumulate) {
  for (std::int64_t first = 0; first < head.sequence; first += kAttentionBlock) {
    const std::int64_t last = std::min(first + kAttentionBlock, head.sequence);
    multiply(
        {.rows = last - first,
         .columns = head.head_dim,
         .inner = head.sequence - first,
         .a = {.data = lower + first * head.sequence + first, .stride = head.sequence, .transposed = true},
         .b = {.data = right.data + first * right.stride, .stride = right.stride},
         .c = out.data + first * out.stride,
         .c_stride = out.stride,
         .accumulate = accumulate});
  }
}

/// Where the parts of one query head of one batch entry lie.
struct HeadPlace {
  Head head;
  std::int64_t query;    ///< offset of its queries in qkv
  std::int64_t key;      ///< of its group's keys
  std::int64_t value;    ///< of its group's values
  std::int64_t context;  ///< of its columns in context
  std::int64_t scores;   ///< of its matrix in scores
  bool first_of_group;   ///< whether it is the first query head to add to its group's gradients
};

template <typename Visit>
void for_each_head(const AttentionShape& s, Visit visit) {
  for (std::int64_t b = 0; b < s.batch; ++b) {
    const std::int64_t row = b * s.sequence;
    for (std::int64_t head = 0; head < s.heads; ++head) {
      const std::int64_t kv_head = head / s.group();
      visit(HeadPlace{.head = {.sequence = s.sequence, .head_dim = s.head_dim},
                      .query = row * s.qkv_columns() + s.query_column(head),
                      .key = row * s.qkv_columns() + s.key_column(kv_head),
                      .value = row * s.qkv_columns() + s.value_column(kv_head),
                      .context = row * s.context_columns() + head * s.head_dim,
                      .scores = (b * s.heads + head) * s.sequence * s.sequence,
                      .first_of_group = head % s.group() == 0});
    }
  }
}

}  // namespace

void attention_scores_forward(const operands::AttentionScoresForward<float>& a) {
  const std::int64_t stride = a.shape.qkv_columns();
  for_each_head(a.shape, [&](const HeadPlace& at) {
    multiply_to_lower(at.head, {a.qkv + at.query, stride}, {a.qkv + at.key, stride}, a.scores + at.scores);
  });
}

void attention_context_forward(const operands::AttentionContextForward<float>& a) {
  for_each_head(a.shape, [&](const HeadPlace& at) {
    multiply_lower(at.head, a.probabilities + at.scores, {a.qkv + at.value, a.shape.qkv_columns()},
                   {a.context + at.context, a.shape.context_columns()});
  });
}

void attention_context_backward(const operands::AttentionContextBackward<float>& a) {
  const std::int64_t stride = a.shape.qkv_columns();
  for_each_head(a.shape, [&](const HeadPlace& at) {
    const Columns dcontext{a.dcontext + at.context, a.shape.context_columns()};
    multiply_to_lower(at.head, dcontext, {a.qkv + at.value, stride}, a.dprobabilities + at.scores);
    multiply_lower_transposed(at.head, a.probabilities + at.scores, dcontext, {a.dqkv + at.value, stride},
                              !at.first_of_group);
  });
}

void attention_scores_backward(const operands::AttentionScoresBackward<float>& a) {
  const std::int64_t stride = a.shape.qkv_columns();
  for_each_head(a.shape, [&](const HeadPlace& at) {
    const float* const dscores = a.dscores + at.scores;
    multiply_lower(at.head, dscores, {a.qkv + at.key, stride}, {a.dqkv + at.query, stride});
    multiply_lower_transposed(at.head, dscores, {a.qkv + at.query, stride}, {a.dqkv + at.key, stride},
                              !at.first_of_group);
  });
}

}  // namespace portolan::host
