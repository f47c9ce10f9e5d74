#include "cli/evaluation.h"

#include <sched.h>

#include <algorithm>
#include <memory>

#include "base/bytes.h"
#include "plan/closed_form.h"
#include "plan/job_cluster.h"
#include "plan/lower.h"
#include "sim/simulator.h"
#include "sim/worker_pool.h"

namespace portolan {

namespace {

/// Of one candidate of a search: about a second in full.
constexpr std::int64_t kMaxTransfers = 200'000;
/// The same where something is wrong with the cluster, and nothing but full can rank: tens of seconds.
constexpr std::int64_t kMaxTransfersImpaired = 2'000'000;
/// Of one step that is asked for by name: minutes, and more than a GB.
constexpr std::int64_t kMaxTransfersAskedFor = 8'000'000;

/// What a worker sends back of a simulation, as bytes: the fields that complete_estimate does not derive.
class EstimateMessage {
 public:
  static std::string encode(const Result<Estimate>& result) {
    std::string bytes(1, result ? '\1' : '\0');
    if (!result) {
      put_bytes(bytes, result.error().kind);
      return bytes + result.error().message;
    }
    put_bytes(bytes, result->step_time);
    put_bytes(bytes, result->breakdown);
    for (const StageMemory& memory : result->stage_memory) {
      put_bytes(bytes, memory);
    }
    return bytes;
  }

  static Result<Estimate> decode(std::string_view bytes) {
    const bool good = bytes.front() == '\1';
    bytes.remove_prefix(1);
    if (!good) {
      const auto kind = take_bytes<ErrorKind>(bytes);
      return Error{kind, std::string(bytes)};
    }
    Estimate estimate;
    estimate.step_time = take_bytes<Seconds>(bytes);
    estimate.breakdown = take_bytes<Breakdown>(bytes);
    while (!bytes.empty()) {
      estimate.stage_memory.push_back(take_bytes<StageMemory>(bytes));
    }
    return estimate;
  }
};

/// Rungs on which one replica stands for all see a cluster as if nothing were wrong with it.
const Cluster& as_seen_by(Fidelity fidelity, const Cluster& cluster) {
  return fidelity < Fidelity::kFull ? cluster.healthy() : cluster;
}

Result<Estimate> simulate_strategy(const Scenario& scenario, const Cluster& cluster, const Strategy& strategy,
                                   Fidelity fidelity) {
  const Program program = lower(scenario, strategy);
  std::optional<Cluster> placed;  // a strategy that places nodes itself sees them in its own order
  if (!strategy.node_order.empty()) {
    PORTOLAN_TRY(placed, job_cluster(scenario, strategy));
  }
  const Cluster& seen = as_seen_by(fidelity, placed ? *placed : cluster);
  const SimulationRequest request{.scenario = scenario,
                                  .strategy = strategy,
                                  .program = program,
                                  .cluster = seen,
                                  .fidelity = fidelity,
                                  .max_transfers = seen.is_healthy() ? kMaxTransfers : kMaxTransfersImpaired};
  PORTOLAN_TRY(Simulation simulation, simulate_program(request, simulate));
  return std::move(simulation.estimate);
}

/// Of a step that is asked for by name; refers to the plan and the cluster.
SimulationRequest request_of(const Plan& plan, const Cluster& cluster, Fidelity fidelity,
                             bool with_timeline) {
  return {.scenario = plan.scenario,
          .strategy = plan.strategy,
          .program = plan.program,
          .cluster = cluster,
          .fidelity = fidelity,
          .with_timeline = with_timeline,
          .max_transfers = kMaxTransfersAskedFor};
}

Result<Estimate> predict_task(const PredictionTask& task, Fidelity fidelity) {
  PORTOLAN_TRY(const Cluster cluster, job_cluster(task.scenario));
  if (fidelity == Fidelity::kClosedForm) {
    return ClosedForm(task.scenario, cluster).evaluate(task.strategy);
  }
  return simulate_strategy(task.scenario, cluster, task.strategy, fidelity);
}

/// Predicts `tasks` in worker processes and gives their results, or the pool's own error for each. With
/// somebody watching (`on_progress`), in shares small enough to watch.
std::vector<Result<Estimate>> predict_in_workers(
    int num_workers, std::span<const PredictionTask> tasks,
    const std::function<Result<Estimate>(const PredictionTask&)>& predict_one,
    const std::function<void(std::size_t done, std::size_t total)>& on_progress) {
  std::vector<Result<Estimate>> results;
  results.reserve(tasks.size());
  const std::size_t share = on_progress ? static_cast<std::size_t>(num_workers) * 8 : tasks.size();
  for (std::size_t begin = 0; begin < tasks.size(); begin += share) {
    const auto part = tasks.subspan(begin, std::min(share, tasks.size() - begin));
    if (on_progress) {
      on_progress(begin, tasks.size());
    }
    const auto answers = map_in_workers(num_workers, static_cast<int>(part.size()), [&](int task) {
      return EstimateMessage::encode(predict_one(part[static_cast<std::size_t>(task)]));
    });
    for (std::size_t i = 0; i < part.size(); ++i) {
      Result<Estimate> result =
          answers ? EstimateMessage::decode((*answers)[i]) : Result<Estimate>(answers.error());
      if (result) {
        result->strategy = part[i].strategy;
        complete_estimate(*result, part[i].scenario);
      }
      results.push_back(std::move(result));
    }
  }
  return results;
}

}  // namespace

int num_allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof(set), &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

Evaluator make_evaluator(const Scenario& scenario, const Cluster& cluster, int num_workers,
                         EvaluationProgress on_progress) {
  auto closed_form = std::make_shared<ClosedForm>(scenario, cluster);
  return [&scenario, &cluster, closed_form, num_workers, on_progress = std::move(on_progress)](
             std::span<const Strategy> strategies, Fidelity fidelity) {
    std::vector<Result<Estimate>> results;
    results.reserve(strategies.size());
    if (fidelity == Fidelity::kClosedForm) {
      for (const Strategy& strategy : strategies) {
        results.emplace_back(closed_form->evaluate(strategy));
      }
      return results;
    }
    std::vector<PredictionTask> tasks;
    tasks.reserve(strategies.size());
    for (const Strategy& strategy : strategies) {
      tasks.push_back({scenario, strategy});
    }
    std::function<void(std::size_t, std::size_t)> progress;
    if (on_progress) {
      progress = [&](std::size_t done, std::size_t total) { on_progress(fidelity, done, total); };
    }
    return predict_in_workers(
        num_workers, tasks,
        [&](const PredictionTask& task) {
          return simulate_strategy(task.scenario, cluster, task.strategy, fidelity);
        },
        progress);
  };
}

TaskRunner make_task_runner(int num_workers) {
  return [num_workers](int num_tasks, const std::function<std::string(int)>& task) {
    return num_workers > 1 && num_tasks > 1 ? map_in_workers(num_workers, num_tasks, task)
                                            : run_here(num_tasks, task);
  };
}

SearchTools make_search_tools(const Scenario& scenario, const Cluster& cluster,
                              EvaluationProgress on_progress) {
  const int num_workers = num_allowed_cores();
  return {.cluster = cluster,
          .evaluator = make_evaluator(scenario, cluster, num_workers, std::move(on_progress)),
          .runner = make_task_runner(num_workers)};
}

TaskPredictor make_task_predictor(Fidelity fidelity, int num_workers,
                                  std::function<void(std::size_t done, std::size_t total)> on_progress) {
  return [=](std::span<const PredictionTask> tasks) {
    return predict_in_workers(
        num_workers, tasks, [&](const PredictionTask& task) { return predict_task(task, fidelity); },
        on_progress);
  };
}

Plan make_plan(const Scenario& scenario, const Strategy& strategy) {
  Plan plan{.scenario = scenario, .strategy = strategy, .program = lower(scenario, strategy), .hash = {}};
  plan.hash = program_hash(plan.program);
  return plan;
}

Result<DegradedStep> predict_degraded(const Plan& plan, const Cluster& cluster, Fidelity fidelity,
                                      bool with_timeline, std::span<const ClusterEvent> events) {
  SimulationRequest request = request_of(plan, cluster, fidelity, with_timeline);
  request.events = events;
  PORTOLAN_TRY(DegradedStep degraded, simulate_degraded(request, simulate));
  degraded.step.estimate.program_hash = plan.hash;
  return degraded;
}

Result<Simulation> predict(const Plan& plan, const Cluster& cluster, Fidelity fidelity, bool with_timeline) {
  if (fidelity == Fidelity::kClosedForm) {
    Simulation simulation;
    simulation.estimate = ClosedForm(plan.scenario, cluster).evaluate(plan.strategy);
    return simulation;
  }
  const SimulationRequest request = request_of(plan, cluster, fidelity, with_timeline);
  PORTOLAN_TRY(Simulation simulation, simulate_program(request, simulate));
  simulation.estimate.program_hash = plan.hash;
  return simulation;
}

}  // namespace portolan
