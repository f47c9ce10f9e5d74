#include "study/ranking.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

namespace portolan {

namespace {

/// From 1; equal values have the mean of their ranks.
std::vector<double> ranks_of(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && values[order[end]] == values[order[begin]]) {
      ++end;
    }
    for (std::size_t i = begin; i < end; ++i) {
      ranks[order[i]] = static_cast<double>(begin + end + 1) / 2;
    }
  }
  return ranks;
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const double mean = static_cast<double>(a.size() + 1) / 2;  // of ranks
  double both = 0, of_a = 0, of_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    both += (a[i] - mean) * (b[i] - mean);
    of_a += (a[i] - mean) * (a[i] - mean);
    of_b += (b[i] - mean) * (b[i] - mean);
  }
  return of_a > 0 && of_b > 0 ? both / std::sqrt(of_a * of_b) : 0;
}

}  // namespace

JobRanking ranking_of(const std::vector<RankedConfiguration>& configurations) {
  std::vector<double> measured, predicted;
  for (const RankedConfiguration& one : configurations) {
    measured.push_back(one.measured);
    predicted.push_back(one.predicted);
  }
  const auto best = std::min_element(measured.begin(), measured.end()) - measured.begin();
  const auto chosen = std::min_element(predicted.begin(), predicted.end()) - predicted.begin();
  const double of_best = predicted[static_cast<std::size_t>(best)];
  return {
      .regret_pct =
          100 * (measured[static_cast<std::size_t>(chosen)] / measured[static_cast<std::size_t>(best)] - 1),
      .place_of_best = 1 + std::count_if(predicted.begin(), predicted.end(),
                                         [&](double value) { return value < of_best; }),
      .spearman = correlation(ranks_of(measured), ranks_of(predicted))};
}

}  // namespace portolan
