#include "plan/steady_steps.h"

#include <algorithm>

#include "plan/run_record.h"

namespace portolan {

namespace {

/// Moves outliers out of `steady.used`.
void drop_outliers(const std::vector<LoggedStep>& steps, SteadySteps& steady) {
  std::vector<Seconds> times;
  for (const std::int32_t index : steady.used) {
    times.push_back(steps[static_cast<std::size_t>(index)].time);
  }
  const Seconds middle = median(times);
  const Seconds deviation = std::max(1.4826 * median_absolute_deviation(times), kLeastDeviation * middle);
  const Seconds reach = kOutlierDeviations * deviation;
  std::erase_if(steady.used, [&](std::int32_t index) {
    const Seconds off = steps[static_cast<std::size_t>(index)].time - middle;
    steady.slow += off > reach ? 1 : 0;
    steady.fast += off < Seconds(0) - reach ? 1 : 0;
    return off > reach || off < Seconds(0) - reach;
  });
}

}  // namespace

SteadySteps steady_steps(const std::vector<LoggedStep>& steps) {
  SteadySteps steady;
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(steps.size()); ++i) {
    const LoggedStep& step = steps[static_cast<std::size_t>(i)];
    if (step.is_other_batch) {
      ++steady.other_batch;
    } else if (step.was_skipped) {
      ++steady.skipped;
    } else if (step.is_first) {
      ++steady.first;
    } else if (step.after_pause) {
      ++steady.after_pause;
    } else {
      steady.used.push_back(i);
    }
  }
  if (steady.used.empty() && steady.first > 0) {
    const auto is_usable = [](const LoggedStep& step) {
      return step.is_first && !step.is_other_batch && !step.was_skipped;
    };
    const auto last = std::find_if(steps.rbegin(), steps.rend(), is_usable);
    steady.used.push_back(static_cast<std::int32_t>(steps.rend() - last) - 1);
    --steady.first;
  }
  drop_outliers(steps, steady);
  return steady;
}

}  // namespace portolan
