#pragma once

#include <string>

#include "base/result.h"
#include "plan/scenario.h"

namespace portolan {

/// What --objective says.
Result<Objective> parse_objective(const std::string& text);

/// An objective whose figures the hardware file does not give would rank everything alike.
Result<void> check_objective(const Scenario& scenario);

}  // namespace portolan
