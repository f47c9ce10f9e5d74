#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "study/fit_error.h"

namespace portolan {

/// The middle one; of an even number the mean of the two. Precondition: not empty.
double median_of(std::vector<double> values);

/// What `error_pct(i, median)` comes to where the median is that of all values but the i-th. Precondition:
/// two values or more.
template <typename ErrorPct>
FitError held_back_error(const std::vector<double>& values, const ErrorPct& error_pct) {
  std::vector<double> errors;
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::vector<double> others = values;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    errors.push_back(error_pct(i, median_of(std::move(others))));
  }
  return error_of(std::move(errors));
}

}  // namespace portolan
