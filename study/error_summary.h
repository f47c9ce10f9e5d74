#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plan/prediction_error.h"

namespace portolan {

/// Of errors in percent of what was measured.
struct ErrorSummary {
  std::optional<double> mape_pct = {};  ///< mean absolute error
  std::optional<double> median_pct = {};
  std::optional<double> max_pct = {};
  std::optional<double> bias_pct = {};  ///< mean signed error
};
/// Nothing where there are none.
ErrorSummary summary_of(const std::vector<double>& signed_pct);

/// How often 90 % intervals contain what was measured.
struct Coverage {
  std::optional<double> covered_pct = {};
  std::optional<double> half_width_pct = {};  ///< median, upwards: 100 (exp(half_width) - 1)
};
struct CheckedInterval {
  bool contains_measured = false;
  double half_width = 0;  ///< ErrorMargin's
};
Coverage coverage_of(const std::vector<CheckedInterval>& intervals);

/// Collects errors by source, machine and software.
class SourceErrorTable {
 public:
  /// Preconditions: both above 0, in one unit.
  void add(const std::string& source_family, const ErrorClass& of, double measured, double predicted);
  /// At most 40 quantiles of each, rounded up to 0.0001.
  std::vector<SourceErrors> finish() &&;

 private:
  std::vector<SourceErrors> all_;
};

}  // namespace portolan
