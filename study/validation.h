#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "catalog/catalog_paths.h"
#include "catalog/measured/training_rows.h"
#include "plan/estimate.h"
#include "plan/prediction_error.h"
#include "study/error_summary.h"
#include "study/published_case.h"
#include "study/ranking.h"

namespace portolan {

/// A published step, predicted.
struct RowPrediction {
  std::string id;
  std::string prefix;
  std::string source_family;
  Seconds measured;
  /// Where the source leaves the division open, of the fastest division.
  Seconds predicted;
  Seconds slowest;  ///< of the divisions that the source leaves open; `predicted` where it leaves none
  bool is_range = false;
  std::string strategy;  ///< short_name
  std::vector<Assumption> assumed;
  std::string apart;  ///< PublishedCase::apart
  bool calibrates =
      true;  ///< the table's `use` is "calibrate" or not given: its error counts in error tables
  ErrorClass error_class = {};
  std::optional<ErrorMargin> margin = {};             ///< by all errors known
  std::optional<ErrorMargin> new_source_margin = {};  ///< by those of other sources

  /// Of the measured time, signed; of a range, to its nearer end, 0 within.
  double error_pct() const;
  /// Of a range, about both ends.
  std::optional<ValueInterval> interval(const std::optional<ErrorMargin>& by) const;
  bool counts() const { return !is_range && apart.empty(); }
};

struct SkippedPrediction {
  std::string id;
  std::string prefix;
  std::string source_family;
  std::string reason;
};

/// Rows of one table of one source.
struct ValidationGroup {
  std::string source_family;
  std::string prefix;
  std::int64_t rows = 0;    ///< predicted, ranges included
  std::int64_t ranges = 0;  ///< of them; they count in no figure below
  std::int64_t apart = 0;   ///< of them; neither do they
  std::int64_t skipped = 0;
  ErrorSummary errors = {};
  /// Mean deviation of rows of one configuration from their mean: no prediction can be below it.
  std::optional<double> noise_pct = {};
  Coverage coverage = {};
  Coverage new_source = {};  ///< of intervals that the source's own errors do not enter
};

struct Validation {
  std::vector<ValidationGroup> groups;  ///< in the order of the table
  std::vector<RowPrediction> rows;
  std::vector<SkippedPrediction> skipped;
  /// Of tables with jobs of which at least kLeastConfigurations were measured and predicted: one model and
  /// batch on one machine. Repeats of a configuration count as one.
  std::vector<RankingGroup> rankings;
};
inline constexpr std::size_t kLeastConfigurations = 8;

/// One step to predict.
struct PredictionTask {
  const Scenario& scenario;
  const Strategy& strategy;
};
/// Estimates of tasks, in order. The study does not know who answers.
using TaskPredictor = std::function<std::vector<Result<Estimate>>(std::span<const PredictionTask> tasks)>;

/// Estimates of each strategy of each case, in order. The cases must outlive the call.
std::vector<std::vector<Result<Estimate>>> predict_cases(const std::vector<const PublishedCase*>& cases,
                                                         const TaskPredictor& predict);

/// Predicts rows. Those without a measured time, those that published_case() skips, and those of which no
/// prediction could be made are skipped with the reason; of a range, divisions that do not fit are left out.
/// Errors: those of files.
Result<Validation> validate_rows(std::span<const TrainingRow> rows, const CatalogPaths& paths,
                                 const TaskPredictor& predict);

/// Gives every row its intervals, and every group what they cover.
void add_intervals(Validation& validation, const PredictionErrors& errors);

/// What the rows tell of the errors of predictions: of those that count and that the table lets calibrate, by
/// source, machine and software, at most 40 quantiles each, rounded up to 0.0001.
std::vector<SourceErrors> step_errors_of(const Validation& validation);

}  // namespace portolan
