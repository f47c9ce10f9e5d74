#include "reference_experts.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace portolan {

namespace {

using Operands = std::span<ReferenceBuffer* const>;

std::vector<double> softmax_of(const std::vector<double>& logits, std::int64_t row, std::int64_t columns) {
  std::vector<double> p(at(columns));
  std::transform(logits.begin() + row * columns, logits.begin() + (row + 1) * columns, p.begin(),
                 [](double x) { return std::exp(x); });
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  std::ranges::for_each(p, [&](double& x) { x /= sum; });
  return p;
}

void router_topk_forward(const KernelShape& s, Operands o) {
  for (std::int64_t row = 0; row < s.rows; ++row) {
    const std::vector<double> p = softmax_of(o[2]->numbers, row, s.columns);
    for (std::int64_t j = 0; j < s.inner; ++j) {
      const std::int64_t choice = row * s.inner + j;
      o[1]->tokens[at(choice)] = static_cast<std::int32_t>(choice % s.columns);
      o[0]->numbers[at(choice)] = p[at(choice % s.columns)];
    }
  }
}

void router_topk_backward(const KernelShape& s, Operands o) {
  for (std::int64_t row = 0; row < s.rows; ++row) {
    const std::vector<double> p = softmax_of(o[2]->numbers, row, s.columns);
    std::vector<double> g(at(s.columns), 0.0);
    double mean = 0;
    for (std::int64_t j = 0; j < s.inner; ++j) {
      const std::size_t choice = at(row * s.inner + j);
      const auto expert = static_cast<std::size_t>(o[3]->tokens[choice]);
      g[expert] = o[1]->numbers[choice];
      mean += g[expert] * p[expert];
    }
    for (std::int64_t e = 0; e < s.columns; ++e) {
      o[0]->numbers[at(row * s.columns + e)] = p[at(e)] * (g[at(e)] - mean);
    }
  }
}

/// Which choice (token x experts of a token) lies in each row, in the order of experts.
std::vector<std::int64_t> order_of(const ReferenceBuffer& indices, std::int64_t rows) {
  std::vector<std::int64_t> order(at(rows));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::ranges::stable_sort(
      order, [&](std::int64_t a, std::int64_t b) { return indices.tokens[at(a)] < indices.tokens[at(b)]; });
  return order;
}

/// Calls visit(element of the token's row, element of the dispatched row, choice).
template <typename Visit>
void each_element(const KernelShape& s, const ReferenceBuffer& indices, Visit visit) {
  const std::vector<std::int64_t> order = order_of(indices, s.rows);
  for (std::int64_t row = 0; row < s.rows; ++row) {
    const std::int64_t choice = order[at(row)];
    for (std::int64_t j = 0; j < s.columns; ++j) {
      visit(at(choice / s.inner * s.columns + j), at(row * s.columns + j), at(choice));
    }
  }
}

void permute(const KernelShape& s, Operands o) {
  each_element(s, *o[2], [&](std::size_t token, std::size_t row, std::size_t /*choice*/) {
    o[0]->numbers[row] = o[1]->numbers[token];
  });
}

void permute_backward(const KernelShape& s, Operands o) {
  each_element(s, *o[2], [&](std::size_t token, std::size_t row, std::size_t /*choice*/) {
    o[0]->numbers[token] += o[1]->numbers[row];
  });
}

void unpermute(const KernelShape& s, Operands o) {
  std::ranges::fill(o[0]->numbers, 0.0);
  each_element(s, *o[3], [&](std::size_t token, std::size_t row, std::size_t choice) {
    o[0]->numbers[token] += o[2]->numbers[choice] * o[1]->numbers[row];
  });
}

void unpermute_backward(const KernelShape& s, Operands o) {
  std::ranges::fill(o[1]->numbers, 0.0);
  each_element(s, *o[5], [&](std::size_t token, std::size_t row, std::size_t choice) {
    o[0]->numbers[row] = o[4]->numbers[choice] * o[2]->numbers[token];
    o[1]->numbers[choice] += o[3]->numbers[row] * o[2]->numbers[token];
  });
}

/// Each expert's product by itself, on its share of the rows.
void grouped_product(const Kernel& kernel, Operands o) {
  const std::int64_t experts = kernel.shape.gemm_batch;
  Kernel one = kernel;
  one.shape.gemm_batch = 1;
  one.shape.rows /= experts;
  for (std::int64_t e = 0; e < experts; ++e) {
    std::vector<ReferenceBuffer> parts(o.size());
    std::vector<ReferenceBuffer*> pointers;
    for (std::size_t i = 0; i < o.size(); ++i) {
      const std::int64_t size = std::ssize(o[i]->numbers) / experts;
      parts[i].numbers.assign(o[i]->numbers.begin() + e * size, o[i]->numbers.begin() + (e + 1) * size);
      pointers.push_back(&parts[i]);
    }
    run_reference_kernel(one, pointers);
    std::ranges::copy(parts[0].numbers, o[0]->numbers.begin() + e * std::ssize(parts[0].numbers));
  }
}

}  // namespace

bool run_expert_kernel(const Kernel& kernel, std::span<ReferenceBuffer* const> operands) {
  switch (kernel.kind) {
    case KernelKind::kRouterTopKForward:
      router_topk_forward(kernel.shape, operands);
      return true;
    case KernelKind::kRouterTopKBackward:
      router_topk_backward(kernel.shape, operands);
      return true;
    case KernelKind::kPermuteTokensForward:
      permute(kernel.shape, operands);
      return true;
    case KernelKind::kPermuteTokensBackward:
      permute_backward(kernel.shape, operands);
      return true;
    case KernelKind::kUnpermuteTokensForward:
      unpermute(kernel.shape, operands);
      return true;
    case KernelKind::kUnpermuteTokensBackward:
      unpermute_backward(kernel.shape, operands);
      return true;
    case KernelKind::kLinearForward:
    case KernelKind::kLinearBackwardInput:
    case KernelKind::kLinearBackwardWeight:
      if (kernel.shape.gemm_batch > 1) {
        grouped_product(kernel, operands);
        return true;
      }
      return false;
    default:
      return false;
  }
}

}  // namespace portolan
