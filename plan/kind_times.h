#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "plan/cost.h"
#include "plan/program.h"
#include "plan/run_record.h"
#include "plan/timeline.h"

namespace portolan {

/// One kind of kernel or communication on one rank: name and seconds a step.
struct NamedTime {
  std::string kind;
  Seconds time;
};

/// How long each of the rank's ops took, by op_id.
std::unordered_map<std::int64_t, Seconds> durations_of(const Timeline& timeline, std::int32_t rank);

/// What `rank` is predicted to spend on each kind in a step: kernels by their name, "send_receive" and
/// collectives by theirs, and "wait", the rest of the makespan. `timeline` has the rank's communication ops.
std::vector<NamedTime> predicted_kind_times(const Program& program, const KernelCost& cost,
                                            const Timeline& timeline, std::int32_t rank);

/// Joins predicted and measured by kind, in the order of the larger time. A kind that one side lacks is 0
/// there.
std::vector<KindTime> join_kind_times(const std::vector<NamedTime>& predicted,
                                      const std::vector<NamedTime>& measured);

}  // namespace portolan
