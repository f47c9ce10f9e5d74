#include "reference_latent.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "kernels/reference/attention.h"

namespace portolan {

namespace {

using Operands = std::span<ReferenceBuffer* const>;
using Numbers = std::vector<double>;

void split_forward(const KernelShape& s, Operands o) {
  const std::int64_t width = s.columns + s.inner;
  for (std::int64_t row = 0; row < s.rows; ++row) {
    const auto down = o[2]->numbers.begin() + row * width;
    std::copy_n(down, s.columns, o[0]->numbers.begin() + row * s.columns);
    std::copy_n(down + s.columns, s.inner, o[1]->numbers.begin() + row * s.inner);
  }
}

void split_backward(const KernelShape& s, Operands o) {
  const std::int64_t width = s.columns + s.inner;
  for (std::int64_t row = 0; row < s.rows; ++row) {
    const auto down = o[0]->numbers.begin() + row * width;
    std::copy_n(o[1]->numbers.begin() + row * s.columns, s.columns, down);
    std::copy_n(o[2]->numbers.begin() + row * s.inner, s.inner, down + s.columns);
  }
}

/// Where a head's columns lie in its tensor.
struct Columns {
  const KernelShape& s;

  std::int64_t query(std::int64_t row, std::int64_t head) const {
    return (row * s.heads + head) * s.head_dim;
  }
  std::int64_t kv_width() const { return s.heads * (s.head_dim + s.columns); }
  std::int64_t key(std::int64_t row, std::int64_t head) const { return row * kv_width() + head * s.head_dim; }
  std::int64_t value(std::int64_t row, std::int64_t head) const {
    return row * kv_width() + s.heads * s.head_dim + head * s.columns;
  }
  std::int64_t context(std::int64_t row, std::int64_t head) const {
    return (row * s.heads + head) * s.columns;
  }
  // Of the product up: keys without their rotary columns, then values.
  std::int64_t nope() const { return s.head_dim - s.inner; }
  std::int64_t up_key(std::int64_t row, std::int64_t head) const {
    return row * s.heads * (nope() + s.columns) + head * nope();
  }
  std::int64_t up_value(std::int64_t row, std::int64_t head) const {
    return row * s.heads * (nope() + s.columns) + s.heads * nope() + head * s.columns;
  }
};

/// A row's rotary key, turned by `direction` times its position's angles.
Numbers turned(const Kernel& kernel, const Numbers& keys, std::int64_t row, double direction) {
  const KernelShape& s = kernel.shape;
  Numbers key(keys.begin() + row * s.inner, keys.begin() + (row + 1) * s.inner);
  const std::int64_t half = s.inner / 2;
  for (std::int64_t j = 0; j < half; ++j) {
    const double frequency =
        std::pow(kernel.scalar, -2.0 * static_cast<double>(j) / static_cast<double>(s.inner));
    const double angle = direction * static_cast<double>(row % s.sequence) * frequency;
    const double first = key[at(j)];
    const double second = key[at(j + half)];
    key[at(j)] = first * std::cos(angle) - second * std::sin(angle);
    key[at(j + half)] = second * std::cos(angle) + first * std::sin(angle);
  }
  return key;
}

void key_value_forward(const Kernel& kernel, Operands o) {
  const KernelShape& s = kernel.shape;
  const Columns c{s};
  for (std::int64_t row = 0; row < s.rows; ++row) {
    const Numbers rotary = turned(kernel, o[2]->numbers, row, 1);
    for (std::int64_t head = 0; head < s.heads; ++head) {
      const auto key = o[0]->numbers.begin() + c.key(row, head);
      std::copy(rotary.begin(), rotary.end(), key);
      std::copy_n(o[1]->numbers.begin() + c.up_key(row, head), c.nope(), key + s.inner);
      std::copy_n(o[1]->numbers.begin() + c.up_value(row, head), s.columns,
                  o[0]->numbers.begin() + c.value(row, head));
    }
  }
}

void key_value_backward(const Kernel& kernel, Operands o) {
  const KernelShape& s = kernel.shape;
  const Columns c{s};
  for (std::int64_t row = 0; row < s.rows; ++row) {
    const auto rotary = o[1]->numbers.begin() + row * s.inner;
    std::fill_n(rotary, s.inner, 0.0);
    for (std::int64_t head = 0; head < s.heads; ++head) {
      const auto key = o[2]->numbers.begin() + c.key(row, head);
      std::transform(key, key + s.inner, rotary, rotary, std::plus<>());
      std::copy_n(key + s.inner, c.nope(), o[0]->numbers.begin() + c.up_key(row, head));
      std::copy_n(o[2]->numbers.begin() + c.value(row, head), s.columns,
                  o[0]->numbers.begin() + c.up_value(row, head));
    }
    const Numbers back = turned(kernel, o[1]->numbers, row, -1);
    std::copy(back.begin(), back.end(), rotary);
  }
}

/// Calls visit(row of the query, row of the key, head, index of the score) for all that a query sees.
template <typename Visit>
void each_score(const KernelShape& s, Visit visit) {
  for (std::int64_t sequence = 0; sequence < s.batch; ++sequence) {
    for (std::int64_t head = 0; head < s.heads; ++head) {
      for (std::int64_t i = 0; i < s.sequence; ++i) {
        for (std::int64_t j = 0; j <= i; ++j) {
          visit(sequence * s.sequence + i, sequence * s.sequence + j, head,
                ((sequence * s.heads + head) * s.sequence + i) * s.sequence + j);
        }
      }
    }
  }
}

void scores_forward(const KernelShape& s, Numbers& scores, const Numbers& q, const Numbers& kv) {
  const Columns c{s};
  each_score(s, [&](std::int64_t i, std::int64_t j, std::int64_t head, std::int64_t score) {
    double sum = 0;
    for (std::int64_t d = 0; d < s.head_dim; ++d) {
      sum += q[at(c.query(i, head) + d)] * kv[at(c.key(j, head) + d)];
    }
    scores[at(score)] = sum;
  });
}

struct ScoreGradients {
  Numbers& dq;
  Numbers& dkv;
};
void scores_backward(const KernelShape& s, const ScoreGradients& d, const Numbers& dscores, const Numbers& q,
                     const Numbers& kv) {
  const Columns c{s};
  std::ranges::fill(d.dq, 0.0);
  for (std::int64_t row = 0; row < s.rows; ++row) {
    std::fill_n(d.dkv.begin() + c.key(row, 0), s.heads * s.head_dim, 0.0);
  }
  each_score(s, [&](std::int64_t i, std::int64_t j, std::int64_t head, std::int64_t score) {
    for (std::int64_t k = 0; k < s.head_dim; ++k) {
      d.dq[at(c.query(i, head) + k)] += dscores[at(score)] * kv[at(c.key(j, head) + k)];
      d.dkv[at(c.key(j, head) + k)] += dscores[at(score)] * q[at(c.query(i, head) + k)];
    }
  });
}

void context_forward(const KernelShape& s, Numbers& context, const Numbers& weights, const Numbers& kv) {
  const Columns c{s};
  std::ranges::fill(context, 0.0);
  each_score(s, [&](std::int64_t i, std::int64_t j, std::int64_t head, std::int64_t score) {
    for (std::int64_t d = 0; d < s.columns; ++d) {
      context[at(c.context(i, head) + d)] += weights[at(score)] * kv[at(c.value(j, head) + d)];
    }
  });
}

struct ContextGradients {
  Numbers& dweights;
  Numbers& dkv;
};
void context_backward(const KernelShape& s, const ContextGradients& d, const Numbers& dcontext,
                      const Numbers& weights, const Numbers& kv) {
  const Columns c{s};
  for (std::int64_t row = 0; row < s.rows; ++row) {
    std::fill_n(d.dkv.begin() + c.value(row, 0), s.heads * s.columns, 0.0);
  }
  each_score(s, [&](std::int64_t i, std::int64_t j, std::int64_t head, std::int64_t score) {
    double sum = 0;
    for (std::int64_t k = 0; k < s.columns; ++k) {
      const double gradient = dcontext[at(c.context(i, head) + k)];
      sum += gradient * kv[at(c.value(j, head) + k)];
      d.dkv[at(c.value(j, head) + k)] += weights[at(score)] * gradient;
    }
    d.dweights[at(score)] = sum;
  });
}

operands::AttentionShape attention(const KernelShape& s) {
  return {.batch = s.batch,
          .sequence = s.sequence,
          .heads = s.heads,
          .kv_heads = s.kv_heads,
          .head_dim = s.head_dim};
}

Numbers probabilities(const KernelShape& s, const Numbers& q, const Numbers& kv) {
  Numbers scores(at(attention(s).score_count()));
  scores_forward(s, scores, q, kv);
  reference::attention_softmax_forward<double>({.shape = attention(s), .scores = scores.data()});
  return scores;
}

/// The log-sum-exp is left as it is: the backward below does without.
void flash_forward(const KernelShape& s, Operands o) {
  context_forward(s, o[0]->numbers, probabilities(s, o[2]->numbers, o[3]->numbers), o[3]->numbers);
}

void flash_backward(const KernelShape& s, Operands o) {
  const Numbers& q = o[5]->numbers;
  const Numbers& kv = o[6]->numbers;
  const Numbers weights = probabilities(s, q, kv);
  Numbers dscores(weights.size());
  context_backward(s, {.dweights = dscores, .dkv = o[1]->numbers}, o[2]->numbers, weights, kv);
  reference::attention_softmax_backward<double>(
      {.shape = attention(s), .probabilities = weights.data(), .dprobabilities = dscores.data()});
  scores_backward(s, {.dq = o[0]->numbers, .dkv = o[1]->numbers}, dscores, q, kv);
}

}  // namespace

bool run_latent_kernel(const Kernel& kernel, Operands o) {
  const KernelShape& s = kernel.shape;
  if (is_attention_gemm(kernel.kind) && s.columns == 0) {
    return false;
  }
  switch (kernel.kind) {
    case KernelKind::kLatentSplitForward:
      split_forward(s, o);
      return true;
    case KernelKind::kLatentSplitBackward:
      split_backward(s, o);
      return true;
    case KernelKind::kLatentKeyValueForward:
      key_value_forward(kernel, o);
      return true;
    case KernelKind::kLatentKeyValueBackward:
      key_value_backward(kernel, o);
      return true;
    case KernelKind::kAttentionScoresForward:
      scores_forward(s, o[0]->numbers, o[1]->numbers, o[2]->numbers);
      return true;
    case KernelKind::kAttentionScoresBackward:
      scores_backward(s, {.dq = o[0]->numbers, .dkv = o[1]->numbers}, o[2]->numbers, o[3]->numbers,
                      o[4]->numbers);
      return true;
    case KernelKind::kAttentionContextForward:
      context_forward(s, o[0]->numbers, o[1]->numbers, o[2]->numbers);
      return true;
    case KernelKind::kAttentionContextBackward:
      context_backward(s, {.dweights = o[0]->numbers, .dkv = o[1]->numbers}, o[2]->numbers, o[3]->numbers,
                       o[4]->numbers);
      return true;
    case KernelKind::kFlashAttentionForward:
      flash_forward(s, o);
      return true;
    case KernelKind::kFlashAttentionBackward:
      flash_backward(s, o);
      return true;
    default:
      return false;
  }
}

}  // namespace portolan
