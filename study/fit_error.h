#pragma once

#include <vector>

namespace portolan {

/// Relative errors of predicted times, |predicted / measured - 1|, in percent.
struct FitError {
  double mean_pct = 0;
  double median_pct = 0;
  double p90_pct = 0;

  bool operator==(const FitError&) const = default;
};

/// Precondition: not empty.
FitError error_of(std::vector<double> errors_pct);

}  // namespace portolan
