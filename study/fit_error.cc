#include "study/fit_error.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace portolan {

FitError error_of(std::vector<double> errors_pct) {
  std::sort(errors_pct.begin(), errors_pct.end());
  const auto at = [&](double share) {
    return errors_pct[static_cast<std::size_t>(share * static_cast<double>(errors_pct.size() - 1))];
  };
  return {std::accumulate(errors_pct.begin(), errors_pct.end(), 0.0) / static_cast<double>(errors_pct.size()),
          at(0.5), at(0.9)};
}

}  // namespace portolan
