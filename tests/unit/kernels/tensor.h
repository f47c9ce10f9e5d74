#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace portolan {

/// The same numbers in both precisions: singles for the kernel under test, and exactly those in double for
/// the reference, so that a difference is the kernel's own rounding.
struct Tensor {
  std::vector<float> single_precision;
  std::vector<double> double_precision;

  float* f() { return single_precision.data(); }
  double* d() { return double_precision.data(); }
};

inline Tensor constant_tensor(std::int64_t count, float value) {
  const auto size = static_cast<std::size_t>(count);
  return {.single_precision = std::vector<float>(size, value),
          .double_precision = std::vector<double>(size, static_cast<double>(value))};
}

/// Standard normal numbers times `scale`, the same for the same name.
inline Tensor random_tensor(std::string_view name, std::int64_t count, double scale = 1) {
  RandomStream random(20260101, name);
  Tensor tensor = constant_tensor(count, 0);
  for (std::size_t i = 0; i < tensor.single_precision.size(); ++i) {
    tensor.single_precision[i] = static_cast<float>(scale * random.next_normal());
    tensor.double_precision[i] = static_cast<double>(tensor.single_precision[i]);
  }
  return tensor;
}

/// For outputs that a kernel must overwrite without reading: NaN for the kernel, 0 for the reference.
inline Tensor poisoned_tensor(std::int64_t count) {
  Tensor tensor = constant_tensor(count, 0);
  for (float& value : tensor.single_precision) {
    value = std::numeric_limits<float>::quiet_NaN();
  }
  return tensor;
}

/// Standard normal numbers in double, for the checks by finite differences.
inline std::vector<double> random_doubles(std::string_view name, std::int64_t count) {
  return random_tensor(name, count).double_precision;
}

inline std::vector<std::int32_t> random_tokens(std::string_view name, std::int64_t count,
                                               std::int64_t vocabulary) {
  RandomStream random(20260101, name);
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(count));
  for (std::int32_t& token : tokens) {
    token = static_cast<std::int32_t>(random.next_below(static_cast<std::uint64_t>(vocabulary)));
  }
  return tokens;
}

}  // namespace portolan
