#include "exec/run.h"

#include "exec/measurement.h"
#include "exec/rank_ensemble.h"
#include "exec/resident_memory.h"
#include "plan/memory.h"

namespace portolan {

Result<RunMeasurement> run_program(const Plan& plan, const RunOptions& options) {
  PORTOLAN_CHECK_OK(check_runnable(plan, options));
  RankEnsemble ensemble(plan, options);
  const Bytes before = resident_memory().value_or(Bytes(0));
  PORTOLAN_CHECK_OK(ensemble.run());
  const Bytes growth = resident_memory().value_or(Bytes(0)) - before;  // the arenas are still there
  RunMeasurement measurement = read_measurement(ensemble, options);
  Bytes arenas;
  for (std::int32_t rank = 0; rank < ensemble.num_ranks(); ++rank) {
    arenas += ensemble.script(rank).arena.size;
  }
  for (std::int32_t rank = 0; rank < ensemble.num_ranks(); ++rank) {
    const RankScript& script = ensemble.script(rank);
    const double share = script.arena.size / arenas;
    measurement.memory.push_back(
        {.rank = rank,
         .predicted_live = stage_peak_memory(*script.source).allocated,
         .live = ensemble.live_peak(rank),
         .arena = script.arena.size,
         .rss = Bytes(static_cast<std::int64_t>(static_cast<double>(growth.value) * share))});
  }
  return measurement;
}

}  // namespace portolan
