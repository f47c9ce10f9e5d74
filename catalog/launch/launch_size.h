#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "catalog/launch/shell_script.h"

namespace portolan {

/// A number that a script gives, and where.
struct LaunchCount {
  std::int64_t value = 0;
  std::int64_t line = 0;
  std::string from;   ///< "--nnodes", "NNODES"
  std::string unset;  ///< ScriptWord::unset
};

/// On how much a launch runs, as far as its script says.
struct LaunchSize {
  std::optional<LaunchCount> ranks_per_node;
  std::optional<LaunchCount> nodes;
  std::optional<LaunchCount> ranks;  ///< the product, or what a variable says
};

/// What `#SBATCH` lines put into the environment: SLURM_NNODES, SLURM_JOB_NUM_NODES, SLURM_NTASKS_PER_NODE,
/// SLURM_GPUS_ON_NODE, SLURM_NTASKS, as far as they follow. Source: Slurm, sbatch(1), "output environment
/// variables".
ScriptEnvironment slurm_environment(std::string_view script);

/// From the launcher's flags in `launch` (torchrun, torch.distributed.launch, deepspeed, srun), else from
/// variables by their usual names (GPUS_PER_NODE, NNODES, WORLD_SIZE ...), else from Slurm's. Errors
/// (kBadInput) with file and line: WORLD_SIZE is set and another number than the nodes' ranks.
Result<LaunchSize> launch_size(const LaunchScript& script, const ScriptCommand& launch,
                               const std::string& file);

}  // namespace portolan
