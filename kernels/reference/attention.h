#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/operands/attention.h"

namespace portolan::reference {

/// Calls visit(batch index, query head, key-value head, query position, key position) for every score that
/// the causal mask keeps (key <= query).
template <typename Visit>
void for_each_unmasked(const operands::AttentionShape& shape, Visit visit) {
  for (std::int64_t b = 0; b < shape.batch; ++b) {
    for (std::int64_t head = 0; head < shape.heads; ++head) {
      for (std::int64_t query = 0; query < shape.sequence; ++query) {
        for (std::int64_t key = 0; key <= query; ++key) {
          visit(b, head, head / shape.group(), query, key);
        }
      }
    }
  }
}

/// Index of a score: (batch, heads, sequence, sequence).
inline std::int64_t score_index(const operands::AttentionShape& shape, std::int64_t b, std::int64_t head,
                                std::int64_t query, std::int64_t key) {
  return ((b * shape.heads + head) * shape.sequence + query) * shape.sequence + key;
}

template <typename T>
void attention_scores_forward(const operands::AttentionScoresForward<T>& a) {
  const auto& s = a.shape;
  for_each_unmasked(s, [&](auto b, auto head, auto kv_head, auto query, auto key) {
    T sum = 0;
    for (std::int64_t d = 0; d < s.head_dim; ++d) {
      sum += a.qkv[(b * s.sequence + query) * s.qkv_columns() + s.query_column(head) + d] *
             a.qkv[(b * s.sequence + key) * s.qkv_columns() + s.key_column(kv_head) + d];
    }
    a.scores[score_index(s, b, head, query, key)] = sum;
  });
}

template <typename T>
void attention_softmax_forward(const operands::AttentionSoftmaxForward<T>& a) {
  const auto& s = a.shape;
  const T scale = T(1) / std::sqrt(static_cast<T>(s.head_dim));
  for (std::int64_t row = 0; row < s.batch * s.heads * s.sequence; ++row) {
    T* const p = a.scores + row * s.sequence;
    const std::int64_t unmasked = row % s.sequence + 1;
    const T largest = *std::max_element(p, p + unmasked);
    T sum = 0;
    for (std::int64_t key = 0; key < unmasked; ++key) {
      p[key] = std::exp(scale * (p[key] - largest));
      sum += p[key];
    }
    for (std::int64_t key = 0; key < s.sequence; ++key) {
      p[key] = key < unmasked ? p[key] / sum : T(0);
    }
  }
}

template <typename T>
void attention_context_forward(const operands::AttentionContextForward<T>& a) {
  const auto& s = a.shape;
  std::fill(a.context, a.context + s.rows() * s.context_columns(), T(0));
  for_each_unmasked(s, [&](auto b, auto head, auto kv_head, auto query, auto key) {
    for (std::int64_t d = 0; d < s.head_dim; ++d) {
      a.context[(b * s.sequence + query) * s.context_columns() + head * s.head_dim + d] +=
          a.probabilities[score_index(s, b, head, query, key)] *
          a.qkv[(b * s.sequence + key) * s.qkv_columns() + s.value_column(kv_head) + d];
    }
  });
}

/// Sets columns [first, last) of every row of dqkv to 0.
template <typename T>
void zero_columns(const operands::AttentionShape& s, T* dqkv, std::int64_t first, std::int64_t last) {
  for (std::int64_t row = 0; row < s.rows(); ++row) {
    std::fill(dqkv + row * s.qkv_columns() + first, dqkv + row * s.qkv_columns() + last, T(0));
  }
}

template <typename T>
void attention_context_backward(const operands::AttentionContextBackward<T>& a) {
  const auto& s = a.shape;
  zero_columns(s, a.dqkv, s.value_column(0), s.qkv_columns());
  for_each_unmasked(s, [&](auto b, auto head, auto kv_head, auto query, auto key) {
    const std::int64_t index = score_index(s, b, head, query, key);
    T sum = 0;
    for (std::int64_t d = 0; d < s.head_dim; ++d) {
      const T dcontext = a.dcontext[(b * s.sequence + query) * s.context_columns() + head * s.head_dim + d];
      const std::int64_t value = (b * s.sequence + key) * s.qkv_columns() + s.value_column(kv_head) + d;
      sum += dcontext * a.qkv[value];
      a.dqkv[value] += a.probabilities[index] * dcontext;
    }
    a.dprobabilities[index] = sum;
  });
}

template <typename T>
void attention_softmax_backward(const operands::AttentionSoftmaxBackward<T>& a) {
  const auto& s = a.shape;
  const T scale = T(1) / std::sqrt(static_cast<T>(s.head_dim));
  for (std::int64_t row = 0; row < s.batch * s.heads * s.sequence; ++row) {
    const T* const p = a.probabilities + row * s.sequence;
    T* const d = a.dprobabilities + row * s.sequence;
    const std::int64_t unmasked = row % s.sequence + 1;
    T inner = 0;
    for (std::int64_t key = 0; key < unmasked; ++key) {
      inner += p[key] * d[key];
    }
    for (std::int64_t key = 0; key < s.sequence; ++key) {
      d[key] = key < unmasked ? scale * p[key] * (d[key] - inner) : T(0);
    }
  }
}

template <typename T>
void attention_scores_backward(const operands::AttentionScoresBackward<T>& a) {
  const auto& s = a.shape;
  zero_columns(s, a.dqkv, 0, s.value_column(0));
  for_each_unmasked(s, [&](auto b, auto head, auto kv_head, auto query, auto key) {
    const T dscore = a.dscores[score_index(s, b, head, query, key)];
    for (std::int64_t d = 0; d < s.head_dim; ++d) {
      const std::int64_t q = (b * s.sequence + query) * s.qkv_columns() + s.query_column(head) + d;
      const std::int64_t k = (b * s.sequence + key) * s.qkv_columns() + s.key_column(kv_head) + d;
      a.dqkv[q] += dscore * a.qkv[k];
      a.dqkv[k] += dscore * a.qkv[q];
    }
  });
}

}  // namespace portolan::reference
