#include "exec/measurement.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "exec/processor_affinity.h"

namespace portolan {

namespace {

/// Wall time over processor time of compute, above which other work has disturbed the run.
constexpr double kMostStretch = 1.1;
/// Below these a median and its spread mean nothing.
constexpr std::int64_t kLeastSteps = 5;

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// Steps that medians are taken over.
struct StepRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// Median over the measured steps of value(step).
template <typename Value>
double median_over(const StepRange& steps, const Value& value) {
  std::vector<double> values;
  for (std::int64_t step = steps.begin; step < steps.end; ++step) {
    values.push_back(value(step));
  }
  return median_of(std::move(values));
}

std::int64_t step_start_ns(const RankEnsemble& ensemble, std::int64_t step) {
  std::int64_t start = std::numeric_limits<std::int64_t>::max();
  for (std::int32_t rank = 0; rank < ensemble.num_ranks(); ++rank) {
    start = std::min(start, ensemble.log(rank).start_ns(step));
  }
  return start;
}

Seconds step_time(const RankEnsemble& ensemble, std::int64_t step) {
  std::int64_t end = 0;
  for (std::int32_t rank = 0; rank < ensemble.num_ranks(); ++rank) {
    end = std::max(end, ensemble.log(rank).end_ns(step));
  }
  return Seconds(static_cast<double>(end - step_start_ns(ensemble, step)) * 1e-9);
}

void add_kinds(const RankEnsemble& ensemble, std::int32_t rank, const StepRange& steps,
               RunMeasurement& measurement) {
  const StepLog& log = ensemble.log(rank);
  const auto add = [&](std::string kind, double seconds) {
    if (seconds > 0) {
      measurement.by_kind.push_back({.rank = rank, .kind = std::move(kind), .time = Seconds(seconds)});
    }
  };
  for (int k = 0; k < kNumKernelKinds; ++k) {
    const auto index = static_cast<std::size_t>(k);
    add(std::string(kernel_name(static_cast<KernelKind>(k))),
        median_over(steps, [&](std::int64_t step) { return log.usage(step).kernel_s[index]; }));
  }
  add("send_receive", median_over(steps, [&](std::int64_t step) { return log.receive_s(step); }));
  for (const CollectiveKind kind :
       {CollectiveKind::kAllReduce, CollectiveKind::kReduceScatter, CollectiveKind::kAllGather}) {
    add(std::string(collective_name(kind)),
        median_over(steps, [&](std::int64_t step) { return log.collective_s(step, kind); }));
  }
  add("wait", median_over(steps, [&](std::int64_t step) { return log.usage(step).wait_s; }));
}

std::int32_t least_waiting_rank(const RankEnsemble& ensemble, const StepRange& steps) {
  std::int32_t slowest = 0;
  double least = std::numeric_limits<double>::infinity();
  for (std::int32_t rank = 0; rank < ensemble.num_ranks(); ++rank) {
    const double wait =
        median_over(steps, [&](std::int64_t step) { return ensemble.log(rank).usage(step).wait_s; });
    if (wait < least) {
      least = wait;
      slowest = rank;
    }
  }
  return slowest;
}

/// The timed step that took nearest to the median.
std::int64_t typical_step(const RankEnsemble& ensemble, const RunMeasurement& measurement) {
  const Seconds middle = median_step_time(measurement);
  const std::int64_t first = std::max(ensemble.log(0).first_timed_step(), measurement.num_warmup_steps);
  const auto distance = [&](std::int64_t step) {
    return std::abs((measurement.step_times[static_cast<std::size_t>(step)] - middle).value);
  };
  std::int64_t typical = first;
  for (std::int64_t step = first; step < std::ssize(measurement.step_times); ++step) {
    typical = distance(step) < distance(typical) ? step : typical;
  }
  return typical;
}

Timeline timeline_of(const RankEnsemble& ensemble, std::int64_t step) {
  const std::int64_t origin = step_start_ns(ensemble, step);
  const auto since_start = [&](std::int64_t ns) { return Seconds(static_cast<double>(ns - origin) * 1e-9); };
  Timeline timeline;
  timeline.makespan = step_time(ensemble, step);
  for (std::int32_t rank = 0; rank < ensemble.num_ranks(); ++rank) {
    const std::vector<ScriptOp>& ops = ensemble.script(rank).ops;
    for (std::size_t i = 0; i < ops.size(); ++i) {
      const OpTimes times = ensemble.log(rank).times(step, static_cast<EventIndex>(i));
      timeline.entries.push_back(
          {ops[i].op_id, rank, since_start(times.start_ns), since_start(times.end_ns)});
    }
  }
  return timeline;
}

/// Wall over processor time of the compute of the rank that was disturbed most.
double stretch_of(const RankEnsemble& ensemble, std::int64_t step) {
  double most = 1;
  for (std::int32_t rank = 0; rank < ensemble.num_ranks(); ++rank) {
    const StepUsage& usage = ensemble.log(rank).usage(step);
    if (usage.compute_cpu_s > 0) {
      most = std::max(most, usage.compute_wall_s / usage.compute_cpu_s);
    }
  }
  return most;
}

double switches(const RankEnsemble& ensemble, std::int64_t step) {
  std::int64_t sum = 0;
  for (std::int32_t rank = 0; rank < ensemble.num_ranks(); ++rank) {
    sum += ensemble.log(rank).usage(step).involuntary_switches;
  }
  return static_cast<double>(sum);
}

std::string find_disturbance(const RankEnsemble& ensemble, const StepRange& steps, double stretch) {
  if (const std::string problem = sharing_problem(ensemble.num_ranks(), ensemble.num_processors());
      !problem.empty()) {
    return problem;
  }
  if (const std::int64_t timed = steps.end - steps.begin; timed < kLeastSteps) {
    return fmt::format("{} timed steps say nothing of noise (needed: {} or more)", timed, kLeastSteps);
  }
  if (!ensemble.pinned()) {
    return "the system does not let ranks be kept on cores of their own";
  }
  if (stretch > kMostStretch) {
    const double put_aside = median_over(steps, [&](std::int64_t step) { return switches(ensemble, step); });
    return fmt::format(
        "compute took {:.2f} times its processor time (allowed: {}), with {:.0f} involuntary context "
        "switches a step: "
        "other work shares the cores",
        stretch, kMostStretch, put_aside);
  }
  return "";
}

}  // namespace

Seconds median_step_time(const RunMeasurement& measurement) {
  std::vector<double> times;
  for (std::size_t i = static_cast<std::size_t>(measurement.num_warmup_steps);
       i < measurement.step_times.size(); ++i) {
    times.push_back(measurement.step_times[i].value);
  }
  return Seconds(median_of(std::move(times)));
}

RunMeasurement read_measurement(const RankEnsemble& ensemble, const RunOptions& options) {
  RunMeasurement measurement;
  measurement.num_warmup_steps = std::clamp(options.num_warmup_steps, std::int64_t{0}, options.num_steps - 1);
  measurement.losses = ensemble.losses();
  measurement.heldout_losses = ensemble.heldout_losses();
  const StepRange steps{measurement.num_warmup_steps, options.num_steps};
  for (std::int64_t step = 0; step < options.num_steps; ++step) {
    measurement.step_times.push_back(step_time(ensemble, step));
  }
  for (std::int32_t rank = 0; rank < ensemble.num_ranks(); ++rank) {
    add_kinds(ensemble, rank, steps, measurement);
  }
  measurement.slowest_rank = least_waiting_rank(ensemble, steps);
  measurement.timeline = timeline_of(ensemble, typical_step(ensemble, measurement));
  measurement.stretch = median_over(steps, [&](std::int64_t step) { return stretch_of(ensemble, step); });
  measurement.invalid_reason = find_disturbance(ensemble, steps, measurement.stretch);
  measurement.valid = measurement.invalid_reason.empty();
  return measurement;
}

}  // namespace portolan
