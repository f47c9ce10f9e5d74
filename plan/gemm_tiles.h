#pragma once

#include "base/quantity.h"
#include "model/kernel.h"
#include "topology/hardware.h"

namespace portolan {

/// Time of shape.gemm_batch products of gemm_m x gemm_n x gemm_k on a device with peak rate `peak`, launch
/// apart: of the tile sizes, either way round, the fastest,
///   waves = ceil(batch ceil(m / tile_m) ceil(n / tile_n) / multiprocessors)
///   time = waves 2 tile_m tile_n (k + k_overhead) multiprocessors / (peak efficiency).
/// Preconditions: find_problem() of a device with `tiles` finds none; sizes are at least 1.
/// Source of tile and wave quantisation: NVIDIA, Matrix Multiplication Background User's Guide.
Seconds tiled_gemm_time(const GemmTiles& tiles, FlopsPerSecond peak, const KernelShape& shape);

}  // namespace portolan
