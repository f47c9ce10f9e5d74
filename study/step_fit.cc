#include "study/step_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace portolan {

namespace {

/// A published step, and what is predicted with each value of the constant.
struct SampledStep {
  std::string source_family;
  Seconds measured;
  std::vector<Seconds> predicted;
};

/// The steps of one source.
class StepsOfSource {
 public:
  explicit StepsOfSource(const StepConstant& constant) : constant_(constant) {}

  void add(const SampledStep& step) { steps_.push_back(&step); }
  std::int64_t size() const { return std::ssize(steps_); }
  double mean_error_pct(double value) const {
    double sum = 0;
    for (const SampledStep* step : steps_) {
      sum += error_pct(*step, value);
    }
    return sum / static_cast<double>(steps_.size());
  }
  double best() const {
    double best = constant_.from;
    const auto num_tried = static_cast<std::int32_t>(
        std::lround((constant_.count - 1) * constant_.between / constant_.resolution));
    for (std::int32_t i = 1; i <= num_tried; ++i) {
      const double value = constant_.from + constant_.resolution * i;
      best = mean_error_pct(value) < mean_error_pct(best) ? value : best;
    }
    return best;
  }

 private:
  double error_pct(const SampledStep& step, double value) const {
    const double at = std::clamp((value - constant_.from) / constant_.between, 0.0, constant_.count - 1.0);
    const auto below = static_cast<std::size_t>(std::min(std::floor(at), constant_.count - 2.0));
    const Seconds more = step.predicted[below + 1] - step.predicted[below];
    const Seconds time = step.predicted[below] + more * (at - static_cast<double>(below));
    return 100 * std::abs(time / step.measured - 1);
  }

  const StepConstant& constant_;
  std::vector<const SampledStep*> steps_;
};

/// With the constant at that value in every step's scenario.
TaskPredictor predict_with(const TaskPredictor& predict, const StepConstant& constant, double value) {
  return [&predict, &constant, value](std::span<const PredictionTask> tasks) {
    std::vector<Scenario> scenarios;
    scenarios.reserve(tasks.size());
    std::vector<PredictionTask> changed;
    for (const PredictionTask& task : tasks) {
      scenarios.push_back(task.scenario);
      constant.set(scenarios.back(), value);
      changed.push_back({scenarios.back(), task.strategy});
    }
    return predict(changed);
  };
}

Result<std::vector<SampledStep>> sample(std::span<const TrainingRow> rows, const StepConstant& constant,
                                        const CatalogPaths& paths, const TaskPredictor& predict) {
  const std::vector<TrainingRow> all(rows.begin(), rows.end());
  std::vector<SampledStep> steps;
  for (std::int32_t i = 0; i < constant.count; ++i) {
    const double value = constant.from + constant.between * i;
    PORTOLAN_TRY(const Validation sampled, validate_rows(all, paths, predict_with(predict, constant, value)));
    std::size_t step = 0;  // which rows can be predicted does not depend on the value
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

StepConstant checkpoint_pause_constant() {
  return {.name = "checkpoint_pause",
          .from = 0,
          .between = 2.5e-3,
          .count = 17,
          .resolution = 1e-4,
          .without = 0,
          .set = [](Scenario& scenario,
                    double pause_s) { scenario.software.checkpoint_pause.value = Seconds(pause_s); },
          .text = [](double pause_s) { return fmt::format("{:.1f} ms", pause_s * 1e3); }};
}

StepConstant products_rate_constant() {
  return {.name = "products' rate",
          .from = 0.6,
          .between = 0.05,
          .count = 13,
          .resolution = 5e-3,
          .without = 1,
          .set = [](Scenario& scenario, double rate) { scale_products(scenario.hardware.device, rate); },
          .text = [](double rate) { return fmt::format("{:.3f}", rate); }};
}

void scale_products(DeviceSpec& device, double rate) {
  device.gemm_efficiency.value *= rate;
  if (device.gemm_tiles) {
    for (GemmTile& tile : device.gemm_tiles->sizes) {
      tile.efficiency *= rate;
    }
  }
}

Result<StepFit> fit_step_constant(std::span<const TrainingRow> rows, const StepConstant& constant,
                                  const CatalogPaths& paths, const TaskPredictor& predict) {
  PORTOLAN_TRY(const std::vector<SampledStep> steps, sample(rows, constant, paths, predict));
  StepFit fit;
  std::vector<StepsOfSource> by_source;
  for (const SampledStep& step : steps) {
    const auto known = std::find_if(
        fit.sources.begin(), fit.sources.end(),
        [&](const StepFitOfSource& source) { return source.source_family == step.source_family; });
    const auto place = static_cast<std::size_t>(known - fit.sources.begin());
    if (known == fit.sources.end()) {
      fit.sources.push_back({.source_family = step.source_family});
      by_source.emplace_back(constant);
    }
    by_source[place].add(step);
  }
  if (fit.sources.size() < 2) {
    return bad_input(fmt::format("{} source_family: at least 2 are needed, each predicted from the others",
                                 fit.sources.size()));
  }
  const auto count = static_cast<double>(fit.sources.size());
  for (std::size_t i = 0; i < fit.sources.size(); ++i) {
    fit.sources[i].num_rows = by_source[i].size();
    fit.sources[i].value = by_source[i].best();
    fit.value += fit.sources[i].value / count;
  }
  for (std::size_t i = 0; i < fit.sources.size(); ++i) {
    StepFitOfSource& source = fit.sources[i];
    const double of_others = (fit.value * count - source.value) / (count - 1);
    source.without_pct = by_source[i].mean_error_pct(constant.without);
    source.fitted_pct = by_source[i].mean_error_pct(source.value);
    source.crossed_pct = by_source[i].mean_error_pct(of_others);
  }
  return fit;
}

}  // namespace portolan
