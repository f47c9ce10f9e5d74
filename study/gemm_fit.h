#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "catalog/measured/gemm_rows.h"
#include "study/fit_error.h"
#include "topology/hardware.h"

namespace portolan {

struct GemmFit {
  GemmTiles tiles;
  std::int64_t num_rows = 0;    ///< used
  std::int64_t num_shapes = 0;  ///< of (n, k) among them
  std::int64_t num_small = 0;   ///< left out: below kLeastGemmFlops
  FitError fitted;              ///< on the rows that were used
  FitError held_back;  ///< of each row, predicted from a fit to the shapes of four fifths of the others
  FitError one_share;  ///< with one share of peak for all, the best: what the tiles are to beat
};

/// Below it a product's time is that of its launch.
inline constexpr double kLeastGemmFlops = 1e9;

/// Fits k_overhead and the efficiencies of the tile sizes that libraries have for tensor cores (256 x 128,
/// 128 x 128, 128 x 64, 64 x 64; CUTLASS, media/docs/efficient_gemm.md) to measured products, so that the
/// mean of |log(predicted / measured)| is least (NLopt, SBPLX: Rowan 1990). A size that is never the fastest
/// is left out. `device` gives peaks and the launch. Errors (kBadInput): fewer than 20 rows of 1 GFLOP or
/// more, a precision that the device has no peak for.
Result<GemmFit> fit_gemm_tiles(const std::vector<GemmRow>& rows, const DeviceSpec& device,
                               std::int64_t multiprocessors);

}  // namespace portolan
