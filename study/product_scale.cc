#include "study/product_scale.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "model/kernel.h"
#include "plan/gemm_tiles.h"
#include "plan/legality.h"
#include "study/median.h"

namespace portolan {

Seconds ProductScale::arithmetic(const GemmRow& row) const {
  const FlopsPerSecond peak = device_.peak.at(row.precision).value;
  if (!device_.gemm_tiles) {
    return row.flops() / (peak * device_.gemm_efficiency.value);
  }
  KernelShape shape;
  shape.gemm_batch = row.batch;
  shape.gemm_m = row.m;
  shape.gemm_n = row.n;
  shape.gemm_k = row.k;
  return tiled_gemm_time(*device_.gemm_tiles, peak, shape);
}

double ProductScale::factor(const GemmRow& row) const {
  return arithmetic(row) / std::max(row.time - device_.kernel_launch.value, row.time * 0.1);
}

double ProductScale::error_pct(const GemmRow& row, double factor) const {
  const std::int64_t elements = row.batch * (row.m * row.k + row.k * row.n + row.m * row.n);
  const Seconds memory = Bytes(elements * compute_bytes(row.precision)) /
                         (device_.memory_bandwidth.value * device_.memory_efficiency.value);
  const Seconds predicted = std::max(arithmetic(row) / factor, memory) + device_.kernel_launch.value;
  return 100 * std::abs(predicted / row.time - 1);
}

double ProductScale::most() const {
  double highest = device_.gemm_tiles ? 0 : device_.gemm_efficiency.value;
  if (device_.gemm_tiles) {
    for (const GemmTile& tile : device_.gemm_tiles->sizes) {
      highest = std::max(highest, tile.efficiency);
    }
  }
  return 1 / highest;
}

ScaleFit ProductScale::fit() const {
  std::vector<double> factors, before, fitted;
  for (const GemmRow& row : rows_) {
    factors.push_back(std::min(factor(row), most()));
    before.push_back(error_pct(row, 1));
  }
  ScaleFit scale;
  scale.factor = median_of(factors);
  scale.num_rows = std::ssize(rows_);
  scale.before = error_of(std::move(before));
  for (const GemmRow& row : rows_) {
    fitted.push_back(error_pct(row, scale.factor));
  }
  scale.fitted = error_of(std::move(fitted));
  scale.held_back = rows_.size() > 1
                        ? held_back_error(factors, [&](std::size_t i,
                                                       double others) { return error_pct(rows_[i], others); })
                        : scale.before;
  return scale;
}

}  // namespace portolan
