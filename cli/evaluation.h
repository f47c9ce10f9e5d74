#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "plan/degraded_step.h"
#include "plan/evaluator.h"
#include "plan/plan_file.h"
#include "plan/search.h"
#include "plan/simulate.h"
#include "study/validation.h"
#include "topology/cluster.h"

namespace portolan {

/// Told how many candidates of a batch are done, on which rung.
using EvaluationProgress = std::function<void(Fidelity fidelity, std::size_t done, std::size_t total)>;

/// The closed form here, everything above it on SimGrid in `num_workers` worker processes.
/// `scenario` and `cluster` must outlive it.
Evaluator make_evaluator(const Scenario& scenario, const Cluster& cluster, int num_workers,
                         EvaluationProgress on_progress = {});

/// Tasks in `num_workers` worker processes; one after another here, with one.
TaskRunner make_task_runner(int num_workers);

/// Both on all cores that this process may use. As make_evaluator.
SearchTools make_search_tools(const Scenario& scenario, const Cluster& cluster,
                              EvaluationProgress on_progress = {});

/// The same for steps of many scenarios, on `fidelity`.
TaskPredictor make_task_predictor(Fidelity fidelity, int num_workers,
                                  std::function<void(std::size_t done, std::size_t total)> on_progress);

/// Cores that this process may use.
int num_allowed_cores();

/// A strategy with its Program.
Plan make_plan(const Scenario& scenario, const Strategy& strategy);

/// The same on a cluster that has a condition, or with events, beside the healthy step. fidelity: full or
/// explicit.
Result<DegradedStep> predict_degraded(const Plan& plan, const Cluster& cluster, Fidelity fidelity,
                                      bool with_timeline, std::span<const ClusterEvent> events);

/// Predicts the plan's own Program, whatever its order lists say. kClosedForm looks at the strategy alone.
Result<Simulation> predict(const Plan& plan, const Cluster& cluster, Fidelity fidelity, bool with_timeline);

}  // namespace portolan
