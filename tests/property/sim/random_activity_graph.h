#pragma once

#include <cstdint>

#include "plan/activity_graph.h"

namespace portolan::testing {

/// A small acyclic graph of every kind of activity: up to 8 links and 40 activities, magnitudes from bytes to
/// terabytes, equal and unequal sizes, zeros, empty paths and links crossed twice.
ActivityGraph random_activity_graph(std::uint64_t seed);

/// Up to six changes of links' and devices' rates between 0 and 1.5 `span`; compute gets a part that is
/// fixed.
void add_random_changes(ActivityGraph& graph, std::uint64_t seed, Seconds span);

}  // namespace portolan::testing
