#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "tests/unit/kernels/tensor.h"

namespace portolan {

/// Fails unless every single-precision entry is within `relative` of the double-precision one, relative to
/// the largest entry of the tensor (a sum that cancels has the error of its terms). NaN fails.
inline void expect_close(const Tensor& actual, const char* what, double relative = 2e-6) {
  const auto& expected = actual.double_precision;
  double largest = 0;
  for (const double value : expected) {
    largest = std::max(largest, std::abs(value));
  }
  const double allowed = relative * largest + 1e-30;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double difference = std::abs(static_cast<double>(actual.single_precision[i]) - expected[i]);
    ASSERT_TRUE(difference <= allowed) << what << "[" << i << "] is " << actual.single_precision[i]
                                       << ", reference " << expected[i] << ", allowed difference " << allowed;
  }
}

}  // namespace portolan
