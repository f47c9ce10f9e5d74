#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "plan/costed_program.h"
#include "plan/estimate.h"
#include "plan/strategy.h"

namespace portolan {

/// How the search asks for predictions: a batch of candidates in, an estimate or an error for each, in order,
/// out. The planning core does not know who answers: the closed form, a simulator, or a pool of workers.
using Evaluator = std::function<std::vector<Result<Estimate>>(std::span<const Strategy>, Fidelity)>;

}  // namespace portolan
