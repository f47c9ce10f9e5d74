#include "study/checkpoint_fit.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>

namespace portolan {

namespace {

constexpr std::int32_t kNumSamples = 17;
constexpr Seconds kBetweenSamples(2.5e-3);
constexpr Seconds kResolution(1e-4);
constexpr Seconds kLongest = kBetweenSamples * (kNumSamples - 1);

/// A published step, and what is predicted with each pause.
struct SampledStep {
  std::string source_family;
  Seconds measured;
  std::vector<Seconds> predicted;

  double error_pct(Seconds pause) const {
    const double at = std::min(pause / kBetweenSamples, kNumSamples - 1.0);
    const auto below = static_cast<std::size_t>(std::min(std::floor(at), kNumSamples - 2.0));
    const Seconds time =
        predicted[below] + (predicted[below + 1] - predicted[below]) * (at - static_cast<double>(below));
    return 100 * std::abs(time / measured - 1);
  }
};

double mean_error_pct(const std::vector<const SampledStep*>& steps, Seconds pause) {
  double sum = 0;
  for (const SampledStep* step : steps) {
    sum += step->error_pct(pause);
  }
  return sum / static_cast<double>(steps.size());
}

Seconds best_pause(const std::vector<const SampledStep*>& steps) {
  Seconds best;
  for (std::int32_t i = 1; kResolution * i <= kLongest; ++i) {
    if (mean_error_pct(steps, kResolution * i) < mean_error_pct(steps, best)) {
      best = kResolution * i;
    }
  }
  return best;
}

/// With every step's profile pausing so long.
TaskPredictor pausing(const TaskPredictor& predict, Seconds pause) {
  return [&predict, pause](std::span<const PredictionTask> tasks) {
    std::vector<Scenario> scenarios;
    scenarios.reserve(tasks.size());
    std::vector<PredictionTask> with_pause;
    for (const PredictionTask& task : tasks) {
      scenarios.push_back(task.scenario);
      scenarios.back().software.checkpoint_pause.value = pause;
      with_pause.push_back({scenarios.back(), task.strategy});
    }
    return predict(with_pause);
  };
}

Result<std::vector<SampledStep>> sample(std::span<const TrainingRow> rows,
                                        const std::vector<std::string>& software, const CatalogPaths& paths,
                                        const TaskPredictor& predict) {
  std::vector<TrainingRow> of_software;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(of_software), [&](const TrainingRow& row) {
    return std::find(software.begin(), software.end(), row.software) != software.end();
  });
  std::vector<SampledStep> steps;
  for (std::int32_t i = 0; i < kNumSamples; ++i) {
    PORTOLAN_TRY(const Validation sampled,
                 validate_rows(of_software, paths, pausing(predict, kBetweenSamples * i)));
    std::size_t step = 0;  // which rows can be predicted does not depend on the pause
    for (const RowPrediction& row : sampled.rows) {
      if (row.is_range) {
        continue;
      }
      if (i == 0) {
        steps.push_back({row.source_family, row.measured, {}});
      }
      steps[step++].predicted.push_back(row.predicted);
    }
  }
  return steps;
}

}  // namespace

Result<CheckpointFit> fit_checkpoint_pause(std::span<const TrainingRow> rows,
                                           const std::vector<std::string>& software,
                                           const CatalogPaths& paths, const TaskPredictor& predict) {
  PORTOLAN_TRY(const std::vector<SampledStep> steps, sample(rows, software, paths, predict));
  CheckpointFit fit;
  std::vector<std::vector<const SampledStep*>> by_source;
  for (const SampledStep& step : steps) {
    const auto known = std::find_if(
        fit.sources.begin(), fit.sources.end(),
        [&](const CheckpointFitOfSource& source) { return source.source_family == step.source_family; });
    const auto place = static_cast<std::size_t>(known - fit.sources.begin());
    if (known == fit.sources.end()) {
      fit.sources.push_back({.source_family = step.source_family, .num_rows = 0, .pause = {}});
      by_source.emplace_back();
    }
    by_source[place].push_back(&step);
  }
  if (fit.sources.size() < 2) {
    return bad_input(fmt::format(
        "{} source_family with steps of {}: at least 2 are needed, each predicted from the others",
        fit.sources.size(), fmt::join(software, ", ")));
  }
  for (std::size_t i = 0; i < fit.sources.size(); ++i) {
    fit.sources[i].num_rows = std::ssize(by_source[i]);
    fit.sources[i].pause = best_pause(by_source[i]);
    fit.pause += fit.sources[i].pause / static_cast<double>(fit.sources.size());
  }
  for (std::size_t i = 0; i < fit.sources.size(); ++i) {
    CheckpointFitOfSource& source = fit.sources[i];
    const auto count = static_cast<double>(fit.sources.size());
    const Seconds of_others = (fit.pause * count - source.pause) / (count - 1);
    source.without_pct = mean_error_pct(by_source[i], Seconds(0));
    source.fitted_pct = mean_error_pct(by_source[i], source.pause);
    source.crossed_pct = mean_error_pct(by_source[i], of_others);
  }
  return fit;
}

}  // namespace portolan
