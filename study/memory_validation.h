#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "catalog/catalog_paths.h"
#include "catalog/measured/memory_rows.h"
#include "catalog/measured/training_rows.h"
#include "plan/prediction_error.h"
#include "study/error_summary.h"
#include "study/validation.h"

namespace portolan {

/// A published peak of memory, predicted: of the fullest device, as the source counts.
struct MemoryPrediction {
  std::string id;
  std::string prefix;
  std::string source_family;
  std::optional<Bytes> measured;  ///< nothing: the run did not fit
  Bytes predicted;                ///< where the source leaves the division open, of the smallest one
  Bytes largest;                  ///< of these divisions
  bool is_range = false;
  Bytes capacity;  ///< of the device
  std::string strategy;
  std::vector<Assumption> assumed;
  bool calibrates = true;  ///< RowPrediction::calibrates
  ErrorClass error_class = {};
  std::optional<ErrorMargin> margin = {};             ///< by all errors known
  std::optional<ErrorMargin> new_source_margin = {};  ///< by those of other sources

  /// Of what was measured, signed; of a range, to its nearer end, 0 within. Precondition: it was measured.
  double error_pct() const;
  /// In bytes; of a range, about both ends.
  std::optional<ValueInterval> interval(const std::optional<ErrorMargin>& by) const;
  /// Whether the run is expected to fit with a probability of 95 %: the upper end of its 90 % interval does.
  /// Without a margin the prediction itself.
  bool fits(const std::optional<ErrorMargin>& by) const;
};

/// Rows of one table of one source.
struct MemoryGroup {
  std::string source_family;
  std::string prefix;
  std::int64_t rows = 0;    ///< predicted
  std::int64_t ranges = 0;  ///< of them; they count in no figure of errors
  std::int64_t did_not_fit = 0;
  std::int64_t did_not_fit_but_called_feasible = 0;  ///< of these, called feasible at 95 %
  ErrorSummary errors = {};
  Coverage coverage = {};
  Coverage new_source = {};
};

struct MemoryValidation {
  std::vector<MemoryGroup> groups;  ///< in the order of the table; made by add_intervals()
  std::vector<MemoryPrediction> rows;
  std::vector<SkippedPrediction> skipped;
};

/// Predicts the peaks of `rows`, of the runs that `runs` describe by the same id. Skipped with the reason:
/// what was not measured, runs that are not described, those that published_case() skips or of which no
/// prediction could be made. Errors: those of files.
Result<MemoryValidation> validate_memory(std::span<const MemoryRow> rows, std::span<const TrainingRow> runs,
                                         const CatalogPaths& paths, const TaskPredictor& predict);

/// Gives every row its intervals, and every group what they cover.
void add_intervals(MemoryValidation& validation, const PredictionErrors& errors);

/// As step_errors_of(), of memory.
std::vector<SourceErrors> memory_errors_of(const MemoryValidation& validation);

}  // namespace portolan
