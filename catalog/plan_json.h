#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "plan/plan_file.h"

namespace portolan {

/// A plan file (docs/plan-file.md): JSON with the resolved scenario, the strategy, the Program and its
/// hash. Reads back to an equal Plan.
std::string write_plan(const Plan& plan);

/// The inverse, for files that may have been edited by hand: an order list changed legally is a legal plan,
/// so the stored hash is only informational and Plan::hash is that of the program read. Errors (kBadInput),
/// one line with file, line and path: what parse_json finds, unknown keys, indices and words that name
/// nothing, a scenario that cannot be, and what check_plan(plan) finds.
Result<Plan> read_plan(std::string_view text, std::string_view file_name);

}  // namespace portolan
