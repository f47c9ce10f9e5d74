#pragma once

#include <cstdint>
#include <vector>

#include "plan/measured_log.h"

namespace portolan {

/// Steps of a log that say how long a step takes, and how many were left out for which reason.
struct SteadySteps {
  std::vector<std::int32_t> used;  ///< indices into MeasuredLog::steps
  std::int64_t first = 0;          ///< of the log or after a restart: compilation, first allocations
  std::int64_t after_pause = 0;    ///< after a checkpoint or an evaluation
  std::int64_t skipped = 0;        ///< updates that the framework skipped
  std::int64_t other_batch = 0;    ///< global batches other than the plan's
  std::int64_t slow = 0;           ///< outliers
  std::int64_t fast = 0;

  std::int64_t num_excluded() const { return first + after_pause + skipped + other_batch + slow + fast; }
  bool operator==(const SteadySteps&) const = default;
};

/// How far from the median a step may be, in deviations of a normal distribution with the same median
/// absolute deviation (1.4826 of it), which is taken for at least kLeastDeviation of the median.
inline constexpr double kOutlierDeviations = 6;
inline constexpr double kLeastDeviation = 0.002;

/// What the log marks is left out first, then outliers among what is left. Where every step is a first one
/// the last is used all the same.
SteadySteps steady_steps(const std::vector<LoggedStep>& steps);

}  // namespace portolan
