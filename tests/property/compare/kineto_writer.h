#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/random.h"
#include "plan/cost.h"
#include "plan/program.h"
#include "plan/time_kind.h"
#include "plan/timeline.h"

namespace portolan {

/// How a made-up run of a plan differs from its prediction.
struct MadeUpRun {
  int num_steps = 8;
  double kernel_noise = 0.015;  ///< standard deviation of each kernel's factor
  double step_noise = 0.005;    ///< of a factor on all kernels of a step
  int disturbed_step = -1;      ///< whose kernels all take 1.5 times as long; none: -1
  /// Factor on a kernel's or communication's time.
  std::function<double(TimeKind kind, const Op& op)> slowdown = [](TimeKind, const Op&) { return 1.0; };
  bool with_launches = true;    ///< what asked for each kernel is in the trace
  bool with_rank_lists = true;  ///< collectives name their ranks; else their group's size
  bool with_step_marks = true;
};

/// The trace that torch.profiler would write of `rank`, were the steps of a run those of `timeline` with
/// noise: kernels with names that libraries use, collectives with the arguments that c10d records, operations
/// of forward, of autograd and of the optimizer around their launches.
std::string write_kineto_trace(const Program& program, const KernelCost& cost, const Timeline& timeline,
                               std::int32_t rank, const MadeUpRun& run, RandomStream random);

}  // namespace portolan
