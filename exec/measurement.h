#pragma once

#include "exec/rank_ensemble.h"
#include "exec/run.h"

namespace portolan {

/// Everything of a RunMeasurement but memory, from what the ranks noted. Precondition: ensemble.run()
/// succeeded.
RunMeasurement read_measurement(const RankEnsemble& ensemble, const RunOptions& options);

}  // namespace portolan
