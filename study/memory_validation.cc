#include "study/memory_validation.h"

#include <algorithm>
#include <map>
#include <utility>
#include <variant>

#include "plan/reserved_memory.h"
#include "study/published_case.h"

namespace portolan {

namespace {

/// A row with the run that it is of, yet to be predicted.
struct OpenPeak {
  const MemoryRow& row;
  const TrainingRow& run;
  PublishedCase published;
};

/// What the counter would have shown of the fullest stage.
Bytes counted_peak(const Estimate& estimate, MemoryCounter counter, const Scenario& scenario) {
  Bytes peak;
  for (std::size_t s = 0; s < estimate.stage_memory.size(); ++s) {
    const StageMemory& memory = estimate.stage_memory[s];
    const Bytes outside = memory_outside_allocator(scenario, estimate.strategy, static_cast<std::int32_t>(s));
    peak = std::max(peak, counter == MemoryCounter::kDevice     ? memory.reserved
                          : counter == MemoryCounter::kReserved ? memory.reserved - outside
                                                                : memory.allocated);
  }
  return peak;
}

/// The prediction, or why there is none.
std::variant<MemoryPrediction, std::string> prediction_of(const OpenPeak& open,
                                                          std::span<const Result<Estimate>> results) {
  const auto& [row, run, published] = open;
  MemoryPrediction made{.id = row.id,
                        .prefix = run.prefix,
                        .source_family = run.source_family,
                        .measured = row.out_of_memory ? std::nullopt : std::optional(row.peak),
                        .predicted = {},
                        .largest = {},
                        .is_range = published.strategies.size() > 1,
                        .capacity = published.scenario.hardware.device.memory.value,
                        .strategy = {},
                        .assumed = published.assumed,
                        .calibrates = run.use.empty() || run.use == "calibrate",
                        .error_class = error_class_of(published.scenario)};
  std::string reason;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!results[i]) {
      reason = results[i].error().message;
      continue;
    }
    const Bytes peak = counted_peak(*results[i], row.counter, published.scenario);
    if (made.strategy.empty() || peak < made.predicted) {
      made.predicted = peak;
      made.strategy = short_name(published.strategies[i]);
    }
    made.largest = std::max(made.largest, peak);
  }
  if (made.strategy.empty()) {
    return reason;
  }
  return made;
}

}  // namespace

double MemoryPrediction::error_pct() const {
  if (is_range && *measured >= predicted && *measured <= largest) {
    return 0;
  }
  const Bytes nearer = is_range && *measured > largest ? largest : predicted;
  return 100 * (nearer / *measured - 1);
}

std::optional<ValueInterval> MemoryPrediction::interval(const std::optional<ErrorMargin>& by) const {
  if (!by) {
    return std::nullopt;
  }
  return ValueInterval{by->around(static_cast<double>(predicted.value)).low,
                       by->around(static_cast<double>(largest.value)).high};
}

bool MemoryPrediction::fits(const std::optional<ErrorMargin>& by) const {
  const auto expected = interval(by);
  const double most = expected ? expected->high : static_cast<double>(largest.value);
  return most <= static_cast<double>(capacity.value);
}

Result<MemoryValidation> validate_memory(std::span<const MemoryRow> rows, std::span<const TrainingRow> runs,
                                         const CatalogPaths& paths, const TaskPredictor& predict) {
  MemoryValidation validation;
  std::map<std::string_view, const TrainingRow*> run_of;
  for (const TrainingRow& run : runs) {
    run_of.emplace(run.id, &run);
  }
  std::vector<OpenPeak> open;
  for (const MemoryRow& row : rows) {
    const auto run = run_of.find(row.id);
    const auto skip = [&](std::string reason) {
      const bool known = run != run_of.end();
      validation.skipped.push_back({row.id, known ? run->second->prefix : "",
                                    known ? run->second->source_family : "", std::move(reason)});
    };
    if (!row.is_measured) {
      skip("not measured");
      continue;
    }
    if (run == run_of.end()) {
      skip("no row of the table of steps has this id");
      continue;
    }
    PORTOLAN_TRY(auto made, published_case(*run->second, paths));
    if (auto* skipped = std::get_if<SkippedRow>(&made)) {
      skip(std::move(skipped->reason));
    } else {
      open.push_back({row, *run->second, std::move(std::get<PublishedCase>(made))});
    }
  }
  std::vector<const PublishedCase*> cases;
  for (const OpenPeak& one : open) {
    cases.push_back(&one.published);
  }
  const std::vector<std::vector<Result<Estimate>>> results = predict_cases(cases, predict);
  for (std::size_t i = 0; i < open.size(); ++i) {
    const OpenPeak& one = open[i];
    auto made = prediction_of(one, results[i]);
    if (auto* reason = std::get_if<std::string>(&made)) {
      validation.skipped.push_back({one.row.id, one.run.prefix, one.run.source_family, std::move(*reason)});
    } else {
      validation.rows.push_back(std::move(std::get<MemoryPrediction>(made)));
    }
  }
  return validation;
}

void add_intervals(MemoryValidation& validation, const PredictionErrors& errors) {
  validation.groups.clear();
  for (MemoryPrediction& row : validation.rows) {
    row.margin = error_margin(errors.memory, row.error_class);
    row.new_source_margin = error_margin(errors.memory, row.error_class, row.source_family);
    const auto is_same = [&](const MemoryGroup& group) {
      return group.source_family == row.source_family && group.prefix == row.prefix;
    };
    if (std::none_of(validation.groups.begin(), validation.groups.end(), is_same)) {
      validation.groups.push_back({.source_family = row.source_family, .prefix = row.prefix});
    }
  }
  for (MemoryGroup& group : validation.groups) {
    std::vector<double> signed_pct;
    std::vector<CheckedInterval> known, new_source;
    const auto check = [](const MemoryPrediction& row, const std::optional<ErrorMargin>& margin,
                          std::vector<CheckedInterval>& checked) {
      if (const auto interval = row.interval(margin)) {
        const bool contains = interval->contains(static_cast<double>(row.measured->value));
        checked.push_back({contains, margin->half_width});
      }
    };
    for (const MemoryPrediction& row : validation.rows) {
      if (row.source_family != group.source_family || row.prefix != group.prefix) {
        continue;
      }
      ++group.rows;
      group.ranges += row.is_range ? 1 : 0;
      if (!row.measured) {
        ++group.did_not_fit;
        group.did_not_fit_but_called_feasible += row.fits(row.margin) ? 1 : 0;
      } else if (!row.is_range) {
        signed_pct.push_back(row.error_pct());
        check(row, row.margin, known);
        check(row, row.new_source_margin, new_source);
      }
    }
    group.errors = summary_of(signed_pct);
    group.coverage = coverage_of(known);
    group.new_source = coverage_of(new_source);
  }
}

std::vector<SourceErrors> memory_errors_of(const MemoryValidation& validation) {
  SourceErrorTable errors;
  for (const MemoryPrediction& row : validation.rows) {
    if (row.measured && !row.is_range && row.calibrates) {
      errors.add(row.source_family, row.error_class, static_cast<double>(row.measured->value),
                 static_cast<double>(row.predicted.value));
    }
  }
  return std::move(errors).finish();
}

}  // namespace portolan
