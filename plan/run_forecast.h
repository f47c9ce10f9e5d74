#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "plan/estimate.h"
#include "plan/interrupted_work.h"
#include "plan/prediction_error.h"
#include "plan/scenario.h"

namespace portolan {

/// A figure of a run that is not certain: at most `p50` in half of all cases, at most `p90` in nine of ten.
struct Likely {
  double p50 = 0;
  double p90 = 0;

  bool operator==(const Likely&) const = default;
};

/// How checkpoints are taken.
struct CheckpointPlan {
  Bytes size;               ///< 0 where only the time was given
  Seconds time;             ///< that training waits for each
  Seconds interval;         ///< of work between two, a whole number of steps
  std::int64_t steps = 0;   ///< in it
  bool is_optimum = false;  ///< chosen here, not by the scenario

  bool operator==(const CheckpointPlan&) const = default;
};

/// A whole training run, from one step's estimate.
struct RunForecast {
  std::int64_t num_gpus = 0;
  std::int64_t num_steps = 0;
  std::optional<CheckpointPlan> checkpoints;
  Seconds mtbf;  ///< of the job; 0: no failures were given
  ExpectedTime expected;
  Likely time_s;
  double goodput_pct = 0;                          ///< of the expected time, what steps that count take
  std::optional<Likely> energy_j;                  ///< of the building; where the hardware's power is known
  std::optional<Likely> cost;                      ///< where its price is known
  std::optional<double> deadline_probability_pct;  ///< of keeping to the deadline
  std::optional<bool> within_budget;               ///< the cost in nine of ten cases; where both are known

  bool operator==(const RunForecast&) const = default;
};

/// Parameters at the width of compute and all states of the optimizer, of the whole model: what one
/// checkpoint holds.
Bytes checkpoint_size(const Scenario& scenario);

/// Steps are whole global batches, the last one too. All are off by one factor, of which `margin` says how
/// far (without one they are as predicted); failures come at random. GPUs are paid for all the time; they
/// draw a step's mean power while they work and idle power while they wait. Precondition:
/// scenario.training_run.
/// Errors: kInfeasible where failures are so frequent that work hardly advances.
Result<RunForecast> forecast_run(const Scenario& scenario, const Estimate& estimate,
                                 const std::optional<ErrorMargin>& margin);

}  // namespace portolan
