#include "study/validation.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>
#include <variant>

#include "study/median.h"

namespace portolan {

namespace {

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// What was run, as far as the source says it: rows that agree in it are repeats.
auto configuration(const TrainingRow& r) {
  return std::tuple(std::tuple(r.cluster, r.software, r.num_gpus, r.layers, r.hidden, r.heads, r.kv_heads,
                               r.ffn, r.vocab, r.sequence_length, r.precision, r.global_batch),
                    std::tuple(r.microbatch, r.tensor_parallel, r.pipeline_parallel, r.virtual_stages,
                               r.data_parallel, r.context_parallel, r.expert_parallel, r.sequence_parallel,
                               r.flash_attention, r.zero_stage, r.reduces_in_fp32, r.recompute));
}

/// Mean deviation, in percent, of each repeated row from the mean of its repeats.
std::optional<double> noise_of(const std::vector<const TrainingRow*>& rows) {
  std::map<decltype(configuration(*rows.front())), std::vector<double>> repeats;
  for (const TrainingRow* row : rows) {
    repeats[configuration(*row)].push_back(row->step_time->value);
  }
  std::vector<double> deviations;
  for (const auto& [key, times] : repeats) {
    if (times.size() > 1) {
      const double center = mean(times);
      for (const double time : times) {
        deviations.push_back(100 * std::abs(time / center - 1));
      }
    }
  }
  return deviations.empty() ? std::nullopt : std::optional(mean(deviations));
}

void summarize(ValidationGroup& group, const std::vector<RowPrediction>& rows,
               const std::vector<const TrainingRow*>& measured) {
  std::vector<double> errors;
  for (const RowPrediction& row : rows) {
    if (row.source_family != group.source_family || row.prefix != group.prefix) {
      continue;
    }
    ++group.rows;
    group.ranges += row.is_range ? 1 : 0;
    group.apart += row.apart.empty() ? 0 : 1;
    if (!row.counts()) {
      continue;
    }
    errors.push_back(row.error_pct());
  }
  group.errors = summary_of(errors);
  if (!measured.empty()) {
    group.noise_pct = noise_of(measured);
  }
}

/// What the job was, whatever way its step was divided.
auto job_of(const TrainingRow& r) {
  return std::tuple(r.source_family, r.prefix, r.cluster, r.software, r.num_gpus, r.layers, r.hidden, r.heads,
                    r.sequence_length, r.precision, r.global_batch);
}

std::vector<RankingGroup> rankings_of(const Validation& validation, std::span<const TrainingRow> rows) {
  using Job = decltype(job_of(rows.front()));
  std::map<std::string_view, const TrainingRow*> row_of;
  for (const TrainingRow& row : rows) {
    row_of.emplace(row.id, &row);
  }
  std::map<Job, std::map<std::string, std::vector<const RowPrediction*>>> jobs;
  for (const RowPrediction& row : validation.rows) {
    if (row.counts()) {
      jobs[job_of(*row_of.at(row.id))][row.strategy].push_back(&row);
    }
  }
  std::vector<RankingGroup> groups;
  for (const ValidationGroup& table : validation.groups) {
    RankingGroup group{.source_family = table.source_family, .prefix = table.prefix};
    std::vector<double> regrets, places, correlations;
    for (const auto& [job, strategies] : jobs) {
      if (std::get<0>(job) != table.source_family || std::get<1>(job) != table.prefix ||
          strategies.size() < kLeastConfigurations) {
        continue;
      }
      std::vector<RankedConfiguration> configurations;
      for (const auto& [strategy, repeats] : strategies) {
        std::vector<double> measured;
        for (const RowPrediction* repeat : repeats) {
          measured.push_back(repeat->measured.value);
        }
        configurations.push_back({mean(measured), repeats.front()->predicted.value});
      }
      const JobRanking ranking = ranking_of(configurations);
      ++group.jobs;
      group.configurations += std::ssize(configurations);
      regrets.push_back(ranking.regret_pct);
      places.push_back(static_cast<double>(ranking.place_of_best));
      correlations.push_back(ranking.spearman);
    }
    if (group.jobs > 0) {
      group.regret_pct = median_of(regrets);
      group.place_of_best = median_of(places);
      group.spearman = median_of(correlations);
      groups.push_back(std::move(group));
    }
  }
  return groups;
}

/// A row with its case, yet to be predicted.
struct OpenCase {
  const TrainingRow& row;
  PublishedCase published;
};

/// The prediction, or why there is none.
std::variant<RowPrediction, std::string> prediction_of(const OpenCase& open,
                                                       std::span<const Result<Estimate>> results) {
  const auto& [row, published] = open;
  RowPrediction made{.id = row.id,
                     .prefix = row.prefix,
                     .source_family = row.source_family,
                     .measured = *row.step_time,
                     .predicted = Seconds(HUGE_VAL),
                     .slowest = Seconds(0),
                     .is_range = published.strategies.size() > 1,
                     .strategy = {},
                     .assumed = published.assumed,
                     .apart = published.apart,
                     .calibrates = row.use.empty() || row.use == "calibrate",
                     .error_class = error_class_of(published.scenario)};
  std::string reason;
  const Bytes memory = published.scenario.hardware.device.memory.value;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!results[i]) {
      reason = results[i].error().message;
      continue;
    }
    if (made.is_range && results[i]->peak_memory > memory) {
      reason = "no division that the source leaves open fits";
      continue;
    }
    if (results[i]->step_time < made.predicted) {
      made.predicted = results[i]->step_time;
      made.strategy = short_name(published.strategies[i]);
    }
    made.slowest = std::max(made.slowest, results[i]->step_time);
  }
  if (made.strategy.empty()) {
    return reason;
  }
  return made;
}

}  // namespace

double RowPrediction::error_pct() const {
  if (is_range && measured >= predicted && measured <= slowest) {
    return 0;
  }
  const Seconds nearer = is_range && measured > slowest ? slowest : predicted;
  return 100 * (nearer / measured - 1);
}

std::optional<ValueInterval> RowPrediction::interval(const std::optional<ErrorMargin>& by) const {
  if (!by) {
    return std::nullopt;
  }
  return ValueInterval{by->around(predicted.value).low, by->around(slowest.value).high};
}

std::vector<std::vector<Result<Estimate>>> predict_cases(const std::vector<const PublishedCase*>& cases,
                                                         const TaskPredictor& predict) {
  std::vector<PredictionTask> tasks;
  for (const PublishedCase* one : cases) {
    for (const Strategy& strategy : one->strategies) {
      tasks.push_back({one->scenario, strategy});
    }
  }
  const std::vector<Result<Estimate>> results = predict(tasks);
  std::vector<std::vector<Result<Estimate>>> by_case;
  auto rest = results.begin();
  for (const PublishedCase* one : cases) {
    const auto end = rest + std::ssize(one->strategies);
    by_case.emplace_back(rest, end);
    rest = end;
  }
  return by_case;
}

Result<Validation> validate_rows(std::span<const TrainingRow> rows, const CatalogPaths& paths,
                                 const TaskPredictor& predict) {
  Validation validation;
  std::vector<OpenCase> open;
  std::vector<const TrainingRow*> measured;
  const auto skip = [&](const TrainingRow& row, std::string reason) {
    validation.skipped.push_back({row.id, row.prefix, row.source_family, std::move(reason)});
  };
  for (const TrainingRow& row : rows) {
    if (row.unreadable.empty() && !row.step_time) {
      skip(row, "sec_per_iter: not published");
      continue;
    }
    if (row.unreadable.empty()) {
      measured.push_back(&row);
    }
    PORTOLAN_TRY(auto made, published_case(row, paths));
    if (auto* skipped = std::get_if<SkippedRow>(&made)) {
      skip(row, std::move(skipped->reason));
    } else {
      open.push_back({row, std::move(std::get<PublishedCase>(made))});
    }
  }
  std::vector<const PublishedCase*> cases;
  for (const OpenCase& one : open) {
    cases.push_back(&one.published);
  }
  const std::vector<std::vector<Result<Estimate>>> results = predict_cases(cases, predict);
  for (std::size_t i = 0; i < open.size(); ++i) {
    auto made = prediction_of(open[i], results[i]);
    if (auto* reason = std::get_if<std::string>(&made)) {
      skip(open[i].row, std::move(*reason));
    } else {
      validation.rows.push_back(std::move(std::get<RowPrediction>(made)));
    }
  }
  for (const TrainingRow& row : rows) {
    const auto found =
        std::find_if(validation.groups.begin(), validation.groups.end(), [&](const auto& group) {
          return group.source_family == row.source_family && group.prefix == row.prefix;
        });
    if (found == validation.groups.end()) {
      validation.groups.push_back({.source_family = row.source_family, .prefix = row.prefix});
    }
  }
  for (ValidationGroup& group : validation.groups) {
    std::vector<const TrainingRow*> of_group;
    std::copy_if(measured.begin(), measured.end(), std::back_inserter(of_group), [&](const TrainingRow* row) {
      return row->source_family == group.source_family && row->prefix == group.prefix;
    });
    summarize(group, validation.rows, of_group);
    group.skipped =
        std::count_if(validation.skipped.begin(), validation.skipped.end(), [&](const auto& skipped) {
          return skipped.source_family == group.source_family && skipped.prefix == group.prefix;
        });
  }
  validation.rankings = rankings_of(validation, rows);
  return validation;
}

namespace {

Coverage coverage_of(const std::vector<const RowPrediction*>& rows,
                     std::optional<ErrorMargin> RowPrediction::*margin) {
  std::vector<CheckedInterval> intervals;
  for (const RowPrediction* row : rows) {
    if (const auto interval = row->interval(row->*margin)) {
      intervals.push_back({interval->contains(row->measured.value), (row->*margin)->half_width});
    }
  }
  return portolan::coverage_of(intervals);
}

}  // namespace

void add_intervals(Validation& validation, const PredictionErrors& errors) {
  for (RowPrediction& row : validation.rows) {
    row.margin = error_margin(errors.step_time, row.error_class);
    row.new_source_margin = error_margin(errors.step_time, row.error_class, row.source_family);
  }
  for (ValidationGroup& group : validation.groups) {
    std::vector<const RowPrediction*> rows;
    for (const RowPrediction& row : validation.rows) {
      if (row.counts() && row.source_family == group.source_family && row.prefix == group.prefix) {
        rows.push_back(&row);
      }
    }
    group.coverage = coverage_of(rows, &RowPrediction::margin);
    group.new_source = coverage_of(rows, &RowPrediction::new_source_margin);
  }
}

std::vector<SourceErrors> step_errors_of(const Validation& validation) {
  SourceErrorTable errors;
  for (const RowPrediction& row : validation.rows) {
    if (row.counts() && row.calibrates) {
      errors.add(row.source_family, row.error_class, row.measured.value, row.predicted.value);
    }
  }
  return std::move(errors).finish();
}

}  // namespace portolan
