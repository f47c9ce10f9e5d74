#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plan/attribution.h"
#include "plan/measured_log.h"
#include "plan/measured_trace.h"
#include "plan/run_record.h"
#include "plan/simulate.h"

namespace portolan {

/// Predicted against measured. divergence_pct = 100 (predicted - measured) / measured: positive when the
/// prediction is too slow.
struct StepDivergence {
  Seconds predicted;
  Seconds measured;  ///< median step
  std::optional<double> divergence_pct;
  double noise_pct = 0;  ///< median absolute deviation of the steps over their median
};

/// Of the median of `measured`.
StepDivergence step_divergence(Seconds predicted, const std::vector<Seconds>& measured);
/// None where nothing was measured.
std::optional<double> divergence_pct(double predicted, double measured);

struct MemoryDivergence {
  std::int32_t rank = 0;
  std::string what;  ///< "live", "allocated", "reserved"
  Bytes predicted;
  Bytes measured;
  std::optional<double> divergence_pct;
};

struct KindDivergence {
  std::string kind;
  std::string axis = {};   ///< of communication; empty: not told
  std::string phase = {};  ///< empty: not told
  Seconds predicted;
  Seconds measured;                      ///< median step
  std::optional<double> divergence_pct;  ///< none where nothing was measured
  std::optional<Seconds> noise = {};     ///< standard error of `measured`; none: not known
  bool includes_waiting = false;         ///< measured with waiting for peers: says nothing of the kind
};
/// Those that were measured in several steps; the larger time first, what took none left out.
std::vector<KindDivergence> kind_divergences(const std::vector<KindSamples>& kinds);

struct Divergence {
  StepDivergence step;
  std::vector<MemoryDivergence> memory;
  std::vector<KindDivergence> by_kind;
  std::vector<Attribution> attribution = {};  ///< the kinds that explain it, the largest first
  std::vector<std::string> notes = {};        ///< what was read and what was left out, for people
  std::vector<UnknownKernel> unknown = {};    ///< of a trace
  bool valid = false;
  std::string invalid_reason;
};

/// Reads nothing but the record: its prediction was made before its run.
Divergence divergence_of(const RunRecord& record);

/// A prediction of a plan, and what of the plan says what it predicts.
struct PlanPrediction {
  const Scenario& scenario;
  const Strategy& strategy;
  const Program& program;
  const Simulation& simulation;  ///< with its timeline where kinds are compared
};

/// Against a framework's log: the steady steps, memory of the ranks that it has, and its timers.
/// Errors (kBadInput): the log has a rank that the plan has not.
Result<Divergence> divergence_from_log(const PlanPrediction& prediction, const MeasuredLog& log);

/// Against a trace of one rank: by kind, axis and phase, as far as the trace tells them; what it does not
/// tell is summed up on both sides. "wait" is the time in which the rank computes nothing: with the kinds
/// that compute it makes up the step. `rank`: whose the trace is where it does not say; none: rank 0.
/// Precondition: the simulation has a timeline. Errors (kBadInput): the trace says another rank, or is of
/// another number of ranks.
Result<Divergence> divergence_from_trace(const PlanPrediction& prediction, const MeasuredTrace& trace,
                                         std::optional<std::int32_t> rank);

}  // namespace portolan
