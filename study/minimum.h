#pragma once

#include <functional>
#include <vector>

namespace portolan {

/// Constants of a model, each within its bounds.
struct Bounds {
  std::vector<double> least;
  std::vector<double> most;
};

struct Minimum {
  std::vector<double> at;
  double error = 0;
};
/// From `start`, the constants that make `error` least: NLopt's SBPLX (Rowan 1990), which needs no
/// derivatives. The same in every call.
Minimum find_minimum(const std::function<double(const std::vector<double>&)>& error, const Bounds& bounds,
                     std::vector<double> start);

}  // namespace portolan
