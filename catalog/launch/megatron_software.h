#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "catalog/launch/megatron_arguments.h"
#include "plan/scenario.h"

namespace portolan {

/// Lays what a script says of kernels and numbers over `scenario`'s software, whose other figures stay.
/// Errors (kBadInput) with file and line: words that are not known.
Result<void> set_megatron_software(const MegatronArguments& arguments, Scenario& scenario,
                                   std::vector<std::string>& assumed);

/// The inverse: settings that say the same of the plan's software, as far as a script can.
void set_megatron_software(const Scenario& scenario, const Strategy& strategy, MegatronSettings& settings);

}  // namespace portolan
