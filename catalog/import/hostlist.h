#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace portolan {

/// What a hostlist may come to.
struct HostlistLimit {
  std::size_t names = 1'000'000;
  std::size_t characters = std::size_t{64} << 20U;  ///< of all names together
};

/// The names of a Slurm hostlist in its order: "tux[0-2,08],login" is tux0 tux1 tux2 tux08 login; several
/// brackets multiply, the last one fastest; a number keeps the width of its range's first. Counted before
/// anything is made, so that "n[0-999999999]" costs nothing. Errors (kBadInput), without a place: brackets
/// that do not match, an empty name or range, a range that falls, what exceeds `limit`.
Result<std::vector<std::string>> expand_hostlist(std::string_view text, HostlistLimit limit = {});

}  // namespace portolan
