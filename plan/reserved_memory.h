#pragma once

#include <cstdint>
#include <vector>

#include "base/quantity.h"
#include "plan/estimate.h"
#include "plan/launch_queue.h"
#include "plan/program.h"
#include "plan/scenario.h"
#include "plan/strategy.h"

namespace portolan {

/// Groups of ranks that a rank of `stage` communicates with, each once: along axes, their blocks and strides
/// (sharding groups), the ends of the pipeline where embeddings are tied, neighbouring stages.
std::int32_t num_communicators(const Scenario& scenario, const Strategy& strategy, std::int32_t stage);

/// Device memory of a rank of `stage` that the framework's allocator does not see: context, buffers of
/// communicators, and what else the software profile says.
Bytes memory_outside_allocator(const Scenario& scenario, const Strategy& strategy, std::int32_t stage);

/// How far the host of a rank of each stage is ahead of its device, by the software profile.
std::vector<RunAhead> run_ahead_of_stages(const Scenario& scenario, const Strategy& strategy,
                                          const Program& program);

/// Memory of each stage of `program`: what is allocated by lifetimes, what is reserved by the allocator of
/// the software profile (allocator_replay.h) and outside of it.
std::vector<StageMemory> program_memory(const Scenario& scenario, const Strategy& strategy,
                                        const Program& program);

}  // namespace portolan
