#pragma once

#include <vector>

#include "plan/search_space.h"

namespace portolan {

/// Degrees that make up the scenario's GPUs, the order of the axes, microbatch and sequence parallelism:
/// every combination that `fixed` leaves open, other fields as `fixed` or the software has them. A degree
/// that was asked for and cannot be stays in once, so that there is a verdict on it.
std::vector<Strategy> search_stems(const Scenario& scenario, const StrategyConstraints& fixed,
                                   SpaceBreadth breadth);

/// Whole numbers that divide `n`, in ascending order.
std::vector<std::int32_t> divisors(std::int64_t n);

}  // namespace portolan
