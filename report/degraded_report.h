#pragma once

#include <span>
#include <string>
#include <vector>

#include "plan/cluster_event.h"
#include "plan/degraded_step.h"
#include "plan/run_forecast.h"
#include "plan/scenario.h"

namespace portolan {

/// What a degraded step is told with.
struct DegradedStory {
  const Scenario& scenario;
  std::span<const std::string> events;  ///< in words, in the order of the request
  std::int32_t ranks_together = 1;      ///< that a RankTime stands for
  const std::optional<RunForecast>& forecast;
};

/// A line for each thing that is wrong all the time.
std::string condition_text(const Condition& condition);

/// The step beside the healthy one: how much longer, which ranks compute longer and which wait; of a job that
/// stops, when, what is lost and how long steps take afterwards.
std::string degraded_text(const DegradedStep& degraded, const DegradedStory& story, std::size_t width);

/// Ranks of a stage against the healthy step, those that compute longer and those that do not apart.
struct RankGroup {
  std::int32_t stage = 0;
  std::vector<std::int32_t> ranks;  ///< the first of those that a RankTime stands for
  bool slower = false;
  Seconds longer_compute;  ///< mean
  Seconds longer_wait;     ///< mean
};
std::vector<RankGroup> rank_groups(const DegradedStep& degraded);

}  // namespace portolan
