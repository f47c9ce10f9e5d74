#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "catalog/launch/megatron_arguments.h"
#include "catalog/launch/megatron_model.h"

namespace portolan {

/// A launch script as a question to predict.
struct MegatronRun {
  Scenario scenario;
  Strategy strategy;
  std::vector<std::string> assumed;  ///< "--vocab-size 51200 (usual with megatron-2024)"
  std::vector<std::string>
      differs;  ///< where the script goes before the scenario: "global_batch 64, not 512"
};

/// What `arguments` say goes before the context's scenario, and that before what is usual. Settings of
/// kernels and numbers that the script gives are laid over the context's software. Errors (kBadInput), one
/// line with file and line: values that are not known or contradict each other or the hardware.
Result<MegatronRun> megatron_run(const MegatronArguments& arguments, const MegatronContext& context);

}  // namespace portolan
