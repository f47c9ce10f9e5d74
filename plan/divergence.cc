#include "plan/divergence.h"

#include <algorithm>
#include <cmath>

namespace portolan {

std::optional<double> divergence_pct(double predicted, double measured) {
  if (measured == 0) {
    return std::nullopt;
  }
  return 100 * (predicted - measured) / measured;
}

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

StepDivergence step_divergence(Seconds predicted, const std::vector<Seconds>& measured) {
  StepDivergence step{.predicted = predicted, .measured = median(measured), .divergence_pct = {}};
  step.divergence_pct = divergence_pct(step.predicted.value, step.measured.value);
  step.noise_pct = step.measured.value > 0 ? 100 * (median_absolute_deviation(measured) / step.measured) : 0;
  return step;
}

std::vector<KindDivergence> kind_divergences(const std::vector<KindSamples>& kinds) {
  std::vector<KindDivergence> list;
  for (const KindSamples& kind : kinds) {
    const Seconds measured = median(kind.measured);
    if (measured.value != 0 || kind.predicted.value != 0) {
      list.push_back({.kind = kind.kind,
                      .axis = kind.axis,
                      .phase = kind.phase,
                      .predicted = kind.predicted,
                      .measured = measured,
                      .divergence_pct = divergence_pct(kind.predicted.value, measured.value),
                      .noise = error_of_median(kind.measured),
                      .includes_waiting = kind.includes_waiting});
    }
  }
  std::stable_sort(list.begin(), list.end(), [](const KindDivergence& a, const KindDivergence& b) {
    return std::max(a.predicted, a.measured) > std::max(b.predicted, b.measured);
  });
  return list;
}

Divergence divergence_of(const RunRecord& record) {
  Divergence divergence;
  divergence.step = step_divergence(record.predicted.step_time, record.step_times);
  for (const RankMemory& memory : record.memory) {
    divergence.memory.push_back(
        {.rank = memory.rank,
         .what = "live",
         .predicted = memory.predicted_live,
         .measured = memory.live,
         .divergence_pct = divergence_pct(static_cast<double>(memory.predicted_live.value),
                                          static_cast<double>(memory.live.value))});
  }
  for (const KindTime& kind : record.by_kind) {
    divergence.by_kind.push_back(
        {.kind = kind.kind,
         .predicted = kind.predicted,
         .measured = kind.measured,
         .divergence_pct = divergence_pct(kind.predicted.value, kind.measured.value)});
  }
  divergence.valid = record.valid;
  divergence.invalid_reason = record.invalid_reason;
  return divergence;
}

}  // namespace portolan
