#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace portolan {

/// The scalar whose gradient the checks take: sum of weights * outputs. Its gradient by the outputs is
/// `weights`.
inline double weighted_sum(const std::vector<double>& weights, const std::vector<double>& outputs) {
  double sum = 0;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    sum += weights[i] * outputs[i];
  }
  return sum;
}

/// Fails unless `gradient` equals the central differences of `loss` (called with no argument, reads `x`) to
/// 1e-6 of the largest entry. With a step h the error is of order h^2 = 1e-9 of the third derivative, and
/// rounding adds about 1e-16 / h.
template <typename Loss>
void expect_gradient(std::vector<double>& x, const std::vector<double>& gradient, Loss loss,
                     const char* what) {
  constexpr double kStep = 3e-5;
  ASSERT_EQ(x.size(), gradient.size()) << what;
  double largest = 1e-3;
  for (const double value : gradient) {
    largest = std::max(largest, std::abs(value));
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double before = x[i];
    x[i] = before + kStep;
    const double above = loss();
    x[i] = before - kStep;
    const double below = loss();
    x[i] = before;
    const double difference = (above - below) / (2 * kStep);
    ASSERT_TRUE(std::abs(difference - gradient[i]) <= 1e-6 * largest)
        << what << "[" << i << "]: gradient " << gradient[i] << ", finite difference " << difference;
  }
}

}  // namespace portolan
