#pragma once

#include "plan/strategy.h"

namespace portolan {

/// The constraints of `under` with those of `over` on top.
StrategyConstraints merge_constraints(const StrategyConstraints& under, const StrategyConstraints& over);

}  // namespace portolan
