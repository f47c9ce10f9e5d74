#include "study/checkpoint_fit.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <variant>

#include "study/published_case.h"

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

Result<std::vector<SampledStep>> sample(std::span<const TrainingRow> rows,
                                        const std::vector<std::string>& software, const CatalogPaths& paths,
                                        const TaskPredictor& predict) {
  struct Open {
    const TrainingRow* row;
    PublishedCase published;
  };
  std::vector<Open> open;
  for (const TrainingRow& row : rows) {
    if (!row.step_time || std::find(software.begin(), software.end(), row.software) == software.end()) {
      continue;
    }
    PORTOLAN_TRY(auto made, published_case(row, paths));
    if (auto* published = std::get_if<PublishedCase>(&made);
        published != nullptr && published->strategies.size() == 1) {
      open.push_back({&row, std::move(*published)});
    }
  }
  std::vector<Scenario> scenarios;
  scenarios.reserve(open.size() * kNumSamples);
  std::vector<PredictionTask> tasks;
  for (const Open& one : open) {
    for (std::int32_t i = 0; i < kNumSamples; ++i) {
      scenarios.push_back(one.published.scenario);
      scenarios.back().software.checkpoint_pause.value = kBetweenSamples * i;
      tasks.push_back({scenarios.back(), one.published.strategies.front()});
    }
  }
  const std::vector<Result<Estimate>> results = predict(tasks);
  std::vector<SampledStep> steps;
  for (std::size_t i = 0; i < open.size(); ++i) {
    SampledStep step{
        .source_family = open[i].row->source_family, .measured = *open[i].row->step_time, .predicted = {}};
    for (std::size_t s = 0; s < kNumSamples && results[i * kNumSamples + s]; ++s) {
      step.predicted.push_back(results[i * kNumSamples + s]->step_time);
    }
    if (step.predicted.size() == kNumSamples) {
      steps.push_back(std::move(step));
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
