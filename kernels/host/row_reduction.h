#pragma once

#include <cstdint>

#include "kernels/host/vector_dispatch.h"

namespace portolan::host {

/// Sum of term(0) ... term(count - 1), which may write as it goes. Single precision within runs of 1024,
/// double across them: the error does not grow with the length of a row (a vocabulary has 50,000 columns).
template <typename Term>
PORTOLAN_INLINE double row_sum(std::int64_t count, Term term) {
  constexpr std::int64_t kRun = 1024;
  double total = 0;
  for (std::int64_t first = 0; first < count; first += kRun) {
    const std::int64_t last = first + kRun < count ? first + kRun : count;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t j = first; j < last; ++j) {
      sum += term(j);
    }
    total += static_cast<double>(sum);
  }
  return total;
}

/// Largest of row[0] ... row[count - 1]. Precondition: count >= 1. A NaN may be passed over.
/// Lanes by hand: clang does not vectorise a maximum reduction, as the order matters to NaN.
PORTOLAN_INLINE float row_maximum(const float* row, std::int64_t count) {
  constexpr std::int64_t kLanes = 16;
  float lanes[kLanes];
  for (float& lane : lanes) {
    lane = row[0];
  }
  std::int64_t first = 0;
  for (; first + kLanes <= count; first += kLanes) {
#pragma omp simd
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] = row[first + lane] > lanes[lane] ? row[first + lane] : lanes[lane];
    }
  }
  for (; first < count; ++first) {
    lanes[0] = row[first] > lanes[0] ? row[first] : lanes[0];
  }
  for (std::int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::int64_t lane = 0; lane < half; ++lane) {
      lanes[lane] = lanes[lane + half] > lanes[lane] ? lanes[lane + half] : lanes[lane];
    }
  }
  return lanes[0];
}

}  // namespace portolan::host
