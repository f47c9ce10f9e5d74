#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace portolan {

/// Processors that this process may use, ascending (sched_getaffinity: `taskset` and containers narrow it).
std::vector<std::int32_t> allowed_processors();

/// The processor of each rank: one of its own while there are enough, else in turn.
/// Precondition: `allowed` is not empty.
std::vector<std::int32_t> assign_processors(std::int32_t num_ranks, const std::vector<std::int32_t>& allowed);

/// Keeps the calling thread on `processor`. False when the system does not let it.
bool pin_this_thread(std::int32_t processor);

/// "2 ranks share 1 core", or empty: why a measurement on these processors says nothing.
std::string sharing_problem(std::int32_t num_ranks, std::int32_t num_processors);

}  // namespace portolan
