#include "study/minimum.h"

#include <nlopt.hpp>
#include <utility>

namespace portolan {

Minimum find_minimum(const std::function<double(const std::vector<double>&)>& error, const Bounds& bounds,
                     std::vector<double> start) {
  nlopt::opt optimizer(nlopt::LN_SBPLX, static_cast<unsigned>(start.size()));
  optimizer.set_lower_bounds(bounds.least);
  optimizer.set_upper_bounds(bounds.most);
  optimizer.set_ftol_rel(1e-6);
  optimizer.set_maxeval(4000);
  auto objective = error;
  optimizer.set_min_objective(
      [](const std::vector<double>& x, std::vector<double>&, void* data) {
        return (*static_cast<std::function<double(const std::vector<double>&)>*>(data))(x);
      },
      &objective);
  Minimum minimum{.at = std::move(start), .error = 0};
  try {
    optimizer.optimize(minimum.at, minimum.error);
  } catch (const nlopt::roundoff_limited&) {
    minimum.error = error(minimum.at);  // the best so far
  }
  return minimum;
}

}  // namespace portolan
