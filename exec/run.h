#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "exec/data/token_dataset.h"
#include "exec/device.h"
#include "plan/plan_file.h"
#include "plan/run_record.h"
#include "plan/timeline.h"

namespace portolan {

/// What a run has come to after a step.
struct RunProgress {
  std::int64_t step = 0;  ///< from 1
  std::int64_t num_steps = 0;
  double loss = 0;    ///< mean token loss of the step's batch
  Seconds step_time;  ///< as rank 0 saw it
};

struct RunOptions {
  std::int64_t num_steps = 0;
  /// Text; sequence_length must be the plan's. Must outlive the run.
  const TokenDataset* dataset = nullptr;
  /// First steps that train like the others and are left out of medians, validity and the timeline: pages are
  /// touched, caches and branch predictors fill. At most num_steps - 1 are.
  std::int64_t num_warmup_steps = 2;
  /// Longest wait for a peer before the run is given up.
  Seconds timeout{60};
  /// Fills buffers with NaNs before they live and after: a use that the Program does not declare shows as a
  /// NaN loss.
  bool poison = false;
  /// Called between steps, on a rank's thread, while all ranks wait.
  std::function<void(const RunProgress&)> on_step = {};
  /// Puts a device of the caller's around each rank's, to watch it or to make it fail.
  std::function<std::unique_ptr<Device>(std::int32_t rank, std::unique_ptr<Device>)> decorate_device = {};
};

/// Measured seconds a step of one kind of kernel or communication on one rank, median over the measured
/// steps. Kinds are the kernels' names, "send_receive" (the receiver's copy), the collectives' names, and
/// "wait": the rank stood still for a peer.
struct MeasuredKind {
  std::int32_t rank = 0;
  std::string kind;
  Seconds time;

  bool operator==(const MeasuredKind&) const = default;
};

struct RunMeasurement {
  std::vector<Seconds> step_times;    ///< of each step, from the common start to the slowest rank's end
  std::int64_t num_warmup_steps = 0;  ///< how many of them medians leave out
  std::vector<double> losses;         ///< mean token loss of each step's batch
  std::vector<double>
      heldout_losses;  ///< before the first step and after the last; empty without held-out text
  Timeline timeline;   ///< of the step at the median
  std::vector<MeasuredKind> by_kind;  ///< of every rank
  std::int32_t slowest_rank = 0;      ///< the one that waits least: its kinds make up the step
  std::vector<RankMemory> memory;
  double stretch = 1;          ///< wall over processor time of compute, median step, most disturbed rank
  bool valid = false;          ///< whether the times say something about the program
  std::string invalid_reason;  ///< empty when valid
};

/// Median of the measured steps, warm-up left out.
Seconds median_step_time(const RunMeasurement& measurement);

/// Trains `plan.program` on this machine's cores, one thread a rank. Follows the Program and nothing else:
/// its order lists as they stand, exactly its buffers, its kernels.
/// Errors: kBadInput (the program does not pass check_program(); the text does not fit it), kInfeasible (a
/// kernel or collective that the host lacks; found before anything runs), kDevice (a rank failed or timed
/// out; all ranks end).
Result<RunMeasurement> run_program(const Plan& plan, const RunOptions& options);

}  // namespace portolan
