#pragma once

#include <cstdint>

#include "plan/activity_graph.h"

namespace portolan::testing {

/// A small acyclic graph of every kind of activity: up to 8 links and 40 activities, magnitudes from bytes to
/// terabytes, equal and unequal sizes, zeros, empty paths and links crossed twice.
ActivityGraph random_activity_graph(std::uint64_t seed);

}  // namespace portolan::testing
