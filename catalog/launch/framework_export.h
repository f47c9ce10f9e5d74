#pragma once

#include "catalog/launch/launch_files.h"

namespace portolan {

/// train.sh, which starts Megatron-LM's pretrain_gpt.py with torchrun on each node (on made-up data unless it
/// is given others), hostfile, ranks.csv. Argument names: Megatron-LM, megatron/training/arguments.py.
LaunchExport megatron_export(const Plan& plan);

/// ds_config.json, launch.sh, which starts the user's training script with DeepSpeed's launcher, hostfile,
/// ranks.csv. Source of keys: deepspeed.ai, "DeepSpeed Configuration JSON". How the model is cut into stages
/// and what is checkpointed is said in a script's own code: that is inexpressible.
LaunchExport deepspeed_export(const Plan& plan);

/// train.toml, launch.sh, which starts torchtitan with torchrun on each node, hostfile, ranks.csv. Source of
/// keys: pytorch/torchtitan, torchtitan/config/job_config.py (July 2025). Sizes of models are flavors in
/// torchtitan's code: the configuration names none.
LaunchExport torchtitan_export(const Plan& plan);

}  // namespace portolan
