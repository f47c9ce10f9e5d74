#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/quantity.h"
#include "exec/calibration/sample.h"
#include "model/kernel.h"

namespace portolan {

/// Products of a linear layer, forward and both backward, over a grid of rows and features.
enum class GridSize : std::uint8_t { kFull, kRough };
std::vector<Kernel> gemm_grid(GridSize size);

struct GridOptions {
  std::int32_t num_cores = 1;
  Seconds budget;
  std::uint64_t seed = 1;
};

/// Times of each kernel on all cores at once. The factor that the kernel before has just made stays in the
/// cache, as it does in training; weights, saved activations and results lie elsewhere each time.
std::vector<Sample> time_gemms(const std::vector<Kernel>& kernels, const GridOptions& options);

}  // namespace portolan
