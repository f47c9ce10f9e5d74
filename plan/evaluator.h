#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "plan/costed_program.h"
#include "plan/estimate.h"
#include "plan/strategy.h"

namespace portolan {

/// How the search asks for predictions: a batch of candidates in, an estimate or an error for each, in order,
/// out. The planning core does not know who answers: the closed form, a simulator, or a pool of workers.
using Evaluator = std::function<std::vector<Result<Estimate>>(std::span<const Strategy>, Fidelity)>;

/// task(0) to task(n - 1) and what each returned, in this order: here or in other processes, where all that a
/// task changes is lost but for its answer. Errors: kDevice when one could not be run.
using TaskRunner = std::function<Result<std::vector<std::string>>(
    int num_tasks, const std::function<std::string(int)>& task)>;
/// Here, one after another.
Result<std::vector<std::string>> run_here(int num_tasks, const std::function<std::string(int)>& task);

}  // namespace portolan
