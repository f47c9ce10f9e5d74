#include "plan/gemm_tiles.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace portolan {

Seconds tiled_gemm_time(const GemmTiles& tiles, FlopsPerSecond peak, const KernelShape& shape) {
  const auto pieces = [](std::int64_t size, std::int64_t tile) {
    return static_cast<double>((size + tile - 1) / tile);
  };
  const auto multiprocessors = static_cast<double>(tiles.multiprocessors.value);
  const double k = static_cast<double>(shape.gemm_k) + tiles.k_overhead.value;
  double fastest = std::numeric_limits<double>::infinity();
  for (const GemmTile& tile : tiles.sizes) {
    const double of_wave =
        2.0 * static_cast<double>(tile.m * tile.n) * k * multiprocessors / (peak.value * tile.efficiency);
    const double num_tiles = std::min(pieces(shape.gemm_m, tile.m) * pieces(shape.gemm_n, tile.n),
                                      pieces(shape.gemm_m, tile.n) * pieces(shape.gemm_n, tile.m));
    const double waves = std::ceil(static_cast<double>(shape.gemm_batch) * num_tiles / multiprocessors);
    fastest = std::min(fastest, waves * of_wave);
  }
  return Seconds(fastest);
}

}  // namespace portolan
