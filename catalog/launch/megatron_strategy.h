#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "catalog/launch/launch_files.h"
#include "catalog/launch/megatron_arguments.h"
#include "plan/scenario.h"

namespace portolan {

/// How a script divides the step of `scenario`, whose model, software, GPUs, batch and precision are its own
/// (megatron_run.h). `assumed`: a line for each value that nobody gave. Errors (kBadInput), one line with
/// file and line: values that are not known or contradict each other; no --micro-batch-size.
Result<Strategy> megatron_strategy(const MegatronArguments& arguments, const Scenario& scenario,
                                   std::vector<std::string>& assumed);

/// The inverse: settings that say `strategy`. What becomes of each field goes to `fields`.
void set_megatron_strategy(const Scenario& scenario, const Strategy& strategy, MegatronSettings& settings,
                           LaunchFields& fields);

/// Ranks lie along these axes, innermost first, with --use-tp-pp-dp-mapping; without it as Strategy's
/// default. Source: Megatron-Core, parallel_state.py: "tp-cp-ep-pp-dp" and "tp-cp-ep-dp-pp".
inline constexpr std::array<Axis, kNumAxes> kPipelineBeforeData = {
    Axis::kTensor, Axis::kContext, Axis::kExpert, Axis::kPipeline, Axis::kData};

}  // namespace portolan
