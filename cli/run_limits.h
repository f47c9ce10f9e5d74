#pragma once

#include "base/result.h"
#include "plan/scenario.h"
#include "plan/strategy.h"

namespace portolan {

/// What of a strategy the executor has not learned yet, in the strategy's own words. What else a program may
/// hold that cannot run, the executor finds itself.
Result<void> check_runs(const Scenario& scenario, const Strategy& strategy);

}  // namespace portolan
