#include "study/error_summary.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "study/median.h"

namespace portolan {

namespace {

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

ErrorSummary summary_of(const std::vector<double>& signed_pct) {
  if (signed_pct.empty()) {
    return {};
  }
  std::vector<double> absolute;
  for (const double error : signed_pct) {
    absolute.push_back(std::abs(error));
  }
  return {.mape_pct = mean(absolute),
          .median_pct = median_of(absolute),
          .max_pct = *std::max_element(absolute.begin(), absolute.end()),
          .bias_pct = mean(signed_pct)};
}

Coverage coverage_of(const std::vector<CheckedInterval>& intervals) {
  if (intervals.empty()) {
    return {};
  }
  std::vector<double> covered, half_widths;
  for (const CheckedInterval& interval : intervals) {
    covered.push_back(interval.contains_measured ? 100 : 0);
    half_widths.push_back(100 * std::expm1(interval.half_width));
  }
  return {.covered_pct = mean(covered), .half_width_pct = median_of(half_widths)};
}

void SourceErrorTable::add(const std::string& source_family, const ErrorClass& of, double measured,
                           double predicted) {
  auto found = std::find_if(all_.begin(), all_.end(), [&](const SourceErrors& source) {
    return source.source_family == source_family && source.of == of;
  });
  if (found == all_.end()) {
    found = all_.insert(all_.end(), {.source_family = source_family, .of = of, .rows = 0, .errors = {}});
  }
  ++found->rows;
  constexpr double kPlaces = 1e4;
  found->errors.push_back(std::ceil(std::abs(std::log(measured / predicted)) * kPlaces) / kPlaces);
}

std::vector<SourceErrors> SourceErrorTable::finish() && {
  constexpr std::size_t kMostQuantiles = 40;
  for (SourceErrors& source : all_) {
    std::sort(source.errors.begin(), source.errors.end());
    if (source.errors.size() > kMostQuantiles) {
      std::vector<double> quantiles;
      for (std::size_t q = 1; q <= kMostQuantiles; ++q) {
        quantiles.push_back(source.errors[q * source.errors.size() / kMostQuantiles - 1]);
      }
      source.errors = std::move(quantiles);
    }
  }
  return std::move(all_);
}

}  // namespace portolan
