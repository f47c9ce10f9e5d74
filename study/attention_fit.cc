#include "study/attention_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <set>

#include "study/minimum.h"

namespace portolan {

namespace {

constexpr std::size_t kFewestKernels = 8;

using Rows = std::vector<const AttentionRow*>;

/// Predicted over measured time.
double ratio(double efficiency, double mask_overhead, FlopsPerSecond peak, const AttentionRow& row) {
  const double of_mask = row.causal ? 1 + mask_overhead / static_cast<double>(row.sequence) : 1;
  return row.rate / (peak * efficiency) * of_mask;
}

FlashAttention fit(const Rows& rows, FlopsPerSecond peak) {
  const auto mean_log_error = [&](const std::vector<double>& x) {
    double sum = 0;
    for (const AttentionRow* row : rows) {
      sum += std::abs(std::log(ratio(x[0], x[1] * 1000, peak, *row)));
    }
    return sum / static_cast<double>(rows.size());
  };
  const std::vector<double> x =
      find_minimum(mean_log_error, {.least = {0.01, 0}, .most = {1, 10}}, {0.5, 0.3}).at;
  return {.version = rows.front()->version, .efficiency = {x[0], ""}, .mask_overhead = {x[1] * 1000, ""}};
}

double error_pct(const FlashAttention& constants, FlopsPerSecond peak, const AttentionRow& row) {
  return 100 * std::abs(ratio(constants.efficiency.value, constants.mask_overhead.value, peak, row) - 1);
}

AttentionFit fit_version(const Rows& rows, FlopsPerSecond peak) {
  AttentionFit result{
      .constants = fit(rows, peak), .num_rows = std::ssize(rows), .fitted = {}, .held_back = {}};
  std::set<std::int64_t> lengths;
  std::vector<double> fitted, held_back;
  for (const AttentionRow* row : rows) {
    lengths.insert(row->sequence);
    fitted.push_back(error_pct(result.constants, peak, *row));
  }
  for (const std::int64_t length : lengths) {
    Rows others;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(others),
                 [&](const AttentionRow* row) { return row->sequence != length; });
    if (others.empty()) {
      continue;
    }
    const FlashAttention constants = fit(others, peak);
    for (const AttentionRow* row : rows) {
      if (row->sequence == length) {
        held_back.push_back(error_pct(constants, peak, *row));
      }
    }
  }
  result.fitted = error_of(std::move(fitted));
  result.held_back = held_back.empty() ? result.fitted : error_of(std::move(held_back));
  return result;
}

}  // namespace

Result<std::vector<AttentionFit>> fit_flash_attention(const std::vector<AttentionRow>& rows,
                                                      const DeviceSpec& device) {
  const auto has_peak = [&](Precision precision) { return device.peak.contains(precision); };
  if (!has_peak(Precision::kBf16) && !has_peak(Precision::kFp16)) {
    return bad_input("the hardware file has no peak for bf16 or fp16");
  }
  const FlopsPerSecond peak =
      device.peak.at(has_peak(Precision::kBf16) ? Precision::kBf16 : Precision::kFp16).value;
  std::map<std::int64_t, Rows> versions;
  for (const AttentionRow& row : rows) {
    versions[row.version].push_back(&row);
  }
  if (versions.empty()) {
    return bad_input("no flash-attention kernels");
  }
  std::vector<AttentionFit> fits;
  for (const auto& [version, of_version] : versions) {
    if (of_version.size() < kFewestKernels) {
      return bad_input(fmt::format("version {}: {} kernels (must be at least {})", version, of_version.size(),
                                   kFewestKernels));
    }
    if (std::none_of(of_version.begin(), of_version.end(),
                     [](const AttentionRow* row) { return row->causal; })) {
      return bad_input(fmt::format("version {}: no causal kernels", version));
    }
    fits.push_back(fit_version(of_version, peak));
  }
  return fits;
}

}  // namespace portolan
