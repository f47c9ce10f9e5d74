#include "plan/divergence.h"

#include <algorithm>
#include <cmath>

namespace portolan {

namespace {

std::optional<double> percent(double predicted, double measured) {
  if (measured == 0) {
    return std::nullopt;
  }
  return 100 * (predicted - measured) / measured;
}

}  // namespace

Seconds median(std::vector<Seconds> times) {
  if (times.empty()) {
    return {};
  }
  std::sort(times.begin(), times.end());
  const std::size_t half = times.size() / 2;
  return times.size() % 2 == 1 ? times[half] : (times[half - 1] + times[half]) / 2;
}

Seconds median_absolute_deviation(const std::vector<Seconds>& times) {
  const Seconds middle = median(times);
  std::vector<Seconds> deviations;
  for (Seconds time : times) {
    deviations.push_back(Seconds(std::abs((time - middle).value)));
  }
  return median(std::move(deviations));
}

Divergence divergence_of(const RunRecord& record) {
  Divergence divergence;
  StepDivergence& step = divergence.step;
  step.predicted = record.predicted.step_time;
  step.measured = median(record.step_times);
  step.divergence_pct = percent(step.predicted.value, step.measured.value);
  step.noise_pct =
      step.measured.value > 0 ? 100 * (median_absolute_deviation(record.step_times) / step.measured) : 0;
  for (const RankMemory& memory : record.memory) {
    divergence.memory.push_back({.rank = memory.rank,
                                 .predicted = memory.predicted_live,
                                 .measured = memory.live,
                                 .divergence_pct = percent(static_cast<double>(memory.predicted_live.value),
                                                           static_cast<double>(memory.live.value))});
  }
  for (const KindTime& kind : record.by_kind) {
    divergence.by_kind.push_back({.kind = kind.kind,
                                  .predicted = kind.predicted,
                                  .measured = kind.measured,
                                  .divergence_pct = percent(kind.predicted.value, kind.measured.value)});
  }
  divergence.valid = record.valid;
  divergence.invalid_reason = record.invalid_reason;
  return divergence;
}

}  // namespace portolan
