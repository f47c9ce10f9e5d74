#include "study/gemm_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "catalog/words.h"
#include "model/kernel.h"
#include "plan/gemm_tiles.h"
#include "plan/legality.h"
#include "study/minimum.h"

namespace portolan {

namespace {

constexpr std::array<std::pair<std::int64_t, std::int64_t>, 4> kSizes = {
    {{256, 128}, {128, 128}, {128, 64}, {64, 64}}};
constexpr std::size_t kFewestProducts = 20;
constexpr std::size_t kFolds = 5;

/// A product with what its time depends on.
struct Sample {
  KernelShape shape;
  Flops flops;
  FlopsPerSecond peak;
  Seconds memory;  ///< least time for its factors and its result
  Seconds time;    ///< launch apart
  std::size_t fold = 0;
};

Seconds predicted(const GemmTiles& tiles, const Sample& sample) {
  return std::max(tiled_gemm_time(tiles, sample.peak, sample.shape), sample.memory);
}

/// {k_overhead, efficiencies}.
GemmTiles tiles_of(const std::vector<double>& x, std::int64_t multiprocessors) {
  GemmTiles tiles{.multiprocessors = {multiprocessors, ""}, .k_overhead = {x[0], ""}, .sizes = {}};
  for (std::size_t i = 0; i < kSizes.size(); ++i) {
    tiles.sizes.push_back({kSizes[i].first, kSizes[i].second, x[i + 1]});
  }
  return tiles;
}

double mean_log_error(const GemmTiles& tiles, const std::vector<const Sample*>& samples) {
  double sum = 0;
  for (const Sample* sample : samples) {
    sum += std::abs(std::log(predicted(tiles, *sample) / sample->time));
  }
  return sum / static_cast<double>(samples.size());
}

GemmTiles fit(const std::vector<const Sample*>& samples, std::int64_t multiprocessors) {
  Bounds bounds{std::vector<double>(kSizes.size() + 1, 0.05), std::vector<double>(kSizes.size() + 1, 1.0)};
  bounds.least[0] = 0;
  bounds.most[0] = 2048;
  const auto error = [&](const std::vector<double>& x) {
    return mean_log_error(tiles_of(x, multiprocessors), samples);
  };
  std::optional<Minimum> best;
  for (const double k_overhead : {30.0, 100.0, 300.0}) {
    std::vector<double> start(kSizes.size() + 1, 0.7);
    start[0] = k_overhead;
    const Minimum found = find_minimum(error, bounds, std::move(start));
    if (!best || found.error < best->error) {
      best = found;
    }
  }
  return tiles_of(best->at, multiprocessors);
}

/// Sizes without which no sample's prediction changes are left out.
void drop_useless(GemmTiles& tiles, const std::vector<Sample>& samples) {
  for (std::size_t i = tiles.sizes.size(); i-- > 0 && tiles.sizes.size() > 1;) {
    GemmTiles without = tiles;
    without.sizes.erase(without.sizes.begin() + static_cast<std::ptrdiff_t>(i));
    const bool useless = std::all_of(samples.begin(), samples.end(), [&](const Sample& sample) {
      return predicted(without, sample) == predicted(tiles, sample);
    });
    if (useless) {
      tiles = without;
    }
  }
}

double error_pct(Seconds prediction, const Sample& sample) {
  return 100 * std::abs(prediction / sample.time - 1);
}

/// The share of peak that is in the middle.
FitError with_one_share(const std::vector<Sample>& samples) {
  std::vector<double> shares;
  const auto at_peak = [](const Sample& sample) { return sample.flops / sample.peak; };
  for (const Sample& sample : samples) {
    shares.push_back(at_peak(sample) / sample.time);
  }
  const auto middle = shares.begin() + static_cast<std::ptrdiff_t>(shares.size() / 2);
  std::nth_element(shares.begin(), middle, shares.end());
  std::vector<double> errors;
  for (const Sample& sample : samples) {
    errors.push_back(error_pct(at_peak(sample) * (1 / *middle), sample));
  }
  return error_of(std::move(errors));
}

}  // namespace

Result<GemmFit> fit_gemm_tiles(const std::vector<GemmRow>& rows, const DeviceSpec& device,
                               std::int64_t multiprocessors) {
  GemmFit result;
  std::vector<Sample> samples;
  std::map<std::pair<std::int64_t, std::int64_t>, std::size_t> folds;  // all rows of a shape in one
  for (const GemmRow& row : rows) {
    const auto peak = device.peak.find(row.precision);
    if (peak == device.peak.end()) {
      return bad_input(
          fmt::format("line {}: the hardware file has no peak for {}", row.line, word_of(row.precision)));
    }
    const Seconds time = row.time - device.kernel_launch.value;
    if (row.flops().value < kLeastGemmFlops || !(time > Seconds(0))) {
      ++result.num_small;
      continue;
    }
    const std::size_t fold = folds.try_emplace({row.n, row.k}, folds.size() % kFolds).first->second;
    const std::int64_t elements = row.batch * (row.m * row.k + row.k * row.n + row.m * row.n);
    const Seconds memory = Bytes(elements * compute_bytes(row.precision)) /
                           (device.memory_bandwidth.value * device.memory_efficiency.value);
    Sample sample{.shape = {},
                  .flops = row.flops(),
                  .peak = peak->second.value,
                  .memory = memory,
                  .time = time,
                  .fold = fold};
    sample.shape.gemm_batch = row.batch;
    sample.shape.gemm_m = row.m;
    sample.shape.gemm_n = row.n;
    sample.shape.gemm_k = row.k;
    samples.push_back(sample);
  }
  if (samples.size() < kFewestProducts) {
    return bad_input(
        fmt::format("{} products of 1 GFLOP or more (must be at least {})", samples.size(), kFewestProducts));
  }
  result.num_rows = std::ssize(samples);
  result.num_shapes = std::ssize(folds);
  const auto in_folds = [&](const auto& wanted) {
    std::vector<const Sample*> chosen;
    for (const Sample& sample : samples) {
      if (wanted(sample.fold)) {
        chosen.push_back(&sample);
      }
    }
    return chosen;
  };
  std::vector<double> held_back;
  for (std::size_t fold = 0; fold < std::min(kFolds, folds.size()); ++fold) {
    const auto others = in_folds([&](std::size_t of) { return of != fold; });
    if (others.empty()) {
      continue;  // one shape only: nothing to hold back
    }
    const GemmTiles tiles = fit(others, multiprocessors);
    for (const Sample* sample : in_folds([&](std::size_t of) { return of == fold; })) {
      held_back.push_back(error_pct(predicted(tiles, *sample), *sample));
    }
  }
  result.tiles = fit(in_folds([](std::size_t) { return true; }), multiprocessors);
  drop_useless(result.tiles, samples);
  std::vector<double> fitted;
  for (const Sample& sample : samples) {
    fitted.push_back(error_pct(predicted(result.tiles, sample), sample));
  }
  result.fitted = error_of(std::move(fitted));
  result.held_back = held_back.empty() ? result.fitted : error_of(std::move(held_back));
  result.one_share = with_one_share(samples);
  return result;
}

}  // namespace portolan
