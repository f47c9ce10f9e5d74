#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace portolan {

/// All `cases`; in a build with sanitizers, which takes five times as long, every fifth. What it looks for is
/// not the property, which the plain build shows for all.
template <typename T>
std::vector<T> thinned(std::vector<T> cases) {
#ifdef PORTOLAN_SANITIZED
  std::vector<T> some;
  for (std::size_t i = 0; i < cases.size(); i += 5) {
    some.push_back(std::move(cases[i]));
  }
  return some;
#else
  return cases;
#endif
}

}  // namespace portolan
