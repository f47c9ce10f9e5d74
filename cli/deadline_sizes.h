#pragma once

#include <string>

#include "cli/session.h"
#include "plan/gpus_for_deadline.h"

namespace portolan {

/// Found before the work: the scenario has a deadline.
Result<void> check_has_deadline(const Scenario& scenario);

/// The fewest GPUs with which the scenario's run keeps to its deadline, each size planned as `plan` plans.
/// Precondition: check_has_deadline. Errors: those of the search but kInfeasible.
Result<DeadlineSize> find_deadline_size(const Session& session, const Scenario& scenario,
                                        const StrategyConstraints& constraints,
                                        const PredictionMargins& margins);

/// For people: the size with its plan, or the soonest where none is enough.
std::string deadline_size_text(const DeadlineSize& size, const Scenario& scenario);
/// One object for machines (docs/command-line.md).
std::string deadline_size_json(const DeadlineSize& size, const PredictionMargins& margins);

}  // namespace portolan
