#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/launch_report.h"
#include "plan/plan_file.h"

namespace portolan {

class Session;

/// What `simulate --megatron-args` is given beside the script.
struct MegatronScriptOptions {
  std::string file;
  std::optional<std::string> scenario;  ///< gives what the script does not say
  std::optional<std::string> hardware;  ///< goes before the scenario's; needed without one
  std::optional<std::string> software;  ///< likewise; megatron-2024 without both
  std::vector<std::string> variables;   ///< NAME=VALUE, of the script's environment
};

/// The plan of a launch script of Megatron-LM, and what was read of it. Errors: kBadInput of files, of the
/// script (with its line), and where neither hardware nor a scenario is given; kInfeasible where the strategy
/// is not legal.
Result<Plan> plan_of_script(const Session& session, const MegatronScriptOptions& options,
                            LaunchReading& reading);

}  // namespace portolan
