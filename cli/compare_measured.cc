#include "cli/compare_measured.h"

#include <fmt/format.h>

#include "catalog/measured/kineto_trace.h"
#include "catalog/measured/text_stream.h"
#include "catalog/measured/training_log.h"
#include "cli/evaluation.h"
#include "plan/job_cluster.h"

namespace portolan {

namespace {

/// Errors (kBadInput): the plan has no such rank.
Result<void> check_rank(const Plan& plan, std::optional<std::int32_t> rank) {
  const std::int32_t ranks = plan.program.num_ranks();
  if (rank && (*rank < 0 || *rank >= ranks)) {
    return bad_input(fmt::format("--rank: {} is no rank of the plan (allowed: 0 to {})", *rank, ranks - 1));
  }
  return {};
}

}  // namespace

Result<Divergence> compare_with_log(const MeasuredComparison& comparison, const std::string& file) {
  const Plan& plan = comparison.plan;
  PORTOLAN_CHECK_OK(check_rank(plan, comparison.rank));
  PORTOLAN_TRY(const auto stream, TextStream::open(file));
  const TrainingLogOptions options{.size = {.global_batch = plan.scenario.global_batch,
                                            .sequence_length = plan.scenario.sequence_length,
                                            .num_gpus = plan.program.num_ranks()},
                                   .rank_without_prefix = comparison.rank.value_or(0)};
  const Result<MeasuredLog> log = read_training_log(*stream, file, options);
  PORTOLAN_CHECK_OK(stream->check());  // a damaged file has lost lines: the reason comes first
  if (!log) {
    return log.error();
  }
  PORTOLAN_TRY(const Cluster cluster, job_cluster(plan.scenario, plan.strategy));
  const bool has_timeline = comparison.fidelity != Fidelity::kClosedForm;
  PORTOLAN_TRY(const Simulation simulation, predict(plan, cluster, comparison.fidelity, has_timeline));
  return divergence_from_log({plan.scenario, plan.strategy, plan.program, simulation}, *log);
}

Result<Divergence> compare_with_trace(const MeasuredComparison& comparison, const std::string& file,
                                      std::int64_t steps_without_marks) {
  const Plan& plan = comparison.plan;
  if (comparison.fidelity == Fidelity::kClosedForm) {
    return bad_input(
        "--fidelity: the closed form has no times of kinds (allowed with --trace: folded, replicas, full, "
        "explicit)");
  }
  if (steps_without_marks < 1 || steps_without_marks > 1'000'000) {
    return bad_input(fmt::format("--steps: {} (allowed: 1 to 1000000)", steps_without_marks));
  }
  PORTOLAN_CHECK_OK(check_rank(plan, comparison.rank));
  PORTOLAN_TRY(const auto stream, TextStream::open(file));
  const Result<MeasuredTrace> trace =
      read_kineto_trace(*stream, file, {.steps_without_marks = steps_without_marks});
  PORTOLAN_CHECK_OK(stream->check());
  if (!trace) {
    return trace.error();
  }
  PORTOLAN_TRY(const Cluster cluster, job_cluster(plan.scenario, plan.strategy));
  PORTOLAN_TRY(const Simulation simulation, predict(plan, cluster, comparison.fidelity, true));
  return divergence_from_trace({plan.scenario, plan.strategy, plan.program, simulation}, *trace,
                               comparison.rank);
}

}  // namespace portolan
