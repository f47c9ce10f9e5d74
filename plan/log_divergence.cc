#include <fmt/format.h>

#include <algorithm>

#include "plan/divergence.h"
#include "plan/rank_place.h"
#include "plan/reserved_memory.h"
#include "plan/steady_steps.h"
#include "plan/timer_spans.h"

namespace portolan {

namespace {

/// Below these a median and its spread mean little.
constexpr std::size_t kLeastSteadySteps = 5;

std::string excluded_note(const MeasuredLog& log, const SteadySteps& steady) {
  std::string reasons;
  const auto add = [&](std::int64_t count, std::string_view reason) {
    if (count > 0) {
      reasons += fmt::format("{}{} {}", reasons.empty() ? ": " : ", ", count, reason);
    }
  };
  add(steady.first, "first after a start");
  add(steady.after_pause, "after a checkpoint or an evaluation");
  add(steady.skipped, "with a skipped update");
  add(steady.other_batch, "of another global batch");
  add(steady.slow, "slow outliers");
  add(steady.fast, "fast outliers");
  return fmt::format("{} log: {} of {} logged steps used, {} left out{}", log.format, steady.used.size(),
                     log.steps.size(), steady.num_excluded(), reasons);
}

std::string log_invalid_reason(const MeasuredLog& log, const SteadySteps& steady) {
  if (steady.used.size() < kLeastSteadySteps) {
    return fmt::format("{} steady steps say little of noise (needed: {} or more)", steady.used.size(),
                       kLeastSteadySteps);
  }
  if (2 * steady.used.size() < log.steps.size()) {
    return fmt::format("{} of {} steps were left out (allowed: half)", steady.num_excluded(),
                       log.steps.size());
  }
  return "";
}

std::vector<KindSamples> timer_samples(const PlanPrediction& prediction, const MeasuredLog& log,
                                       const SteadySteps& steady) {
  const Timeline& timeline = prediction.simulation.timeline;
  std::vector<KindSamples> kinds;
  for (std::size_t t = 0; t < log.timers.size(); ++t) {
    const LoggedTimer& timer = log.timers[t];
    const std::optional<TimerSpan> span = find_timer_span(timer.name);
    if (!span || timeline.entries.empty()) {
      continue;
    }
    // Megatron-LM's last rank prints, DeepSpeed's first.
    const auto last_stage = static_cast<std::int32_t>(prediction.program.stages.size()) - 1;
    const std::int32_t printing = log.format == "DeepSpeed" ? 0 : last_stage;
    KindSamples kind{.kind = timer.name,
                     .axis = "",
                     .phase = std::string(timer_span_name(*span)),
                     .predicted = timer.is_of_slowest
                                      ? longest_predicted_span(prediction.program, timeline, *span)
                                      : predicted_span(prediction.program, timeline, printing, *span),
                     .measured = {},
                     .includes_waiting = is_sum_of_spans(*span)};
    for (const std::int32_t index : steady.used) {
      for (const auto& [of, time] : log.steps[static_cast<std::size_t>(index)].timers) {
        if (of == static_cast<std::int32_t>(t)) {
          kind.measured.push_back(time);
        }
      }
    }
    if (!kind.measured.empty()) {
      kinds.push_back(std::move(kind));
    }
  }
  return kinds;
}

Result<void> add_logged_memory(const PlanPrediction& prediction, const MeasuredLog& log,
                               Divergence& divergence) {
  const std::int32_t ranks = prediction.program.num_ranks();
  for (const LoggedMemory& memory : log.memory) {
    if (memory.rank >= ranks) {
      return bad_input(
          fmt::format("the log has a rank {} (the plan has {} ranks, from 0)", memory.rank, ranks));
    }
    const std::int32_t stage = stage_of(prediction.program, memory.rank);
    const StageMemory& predicted =
        prediction.simulation.estimate.stage_memory[static_cast<std::size_t>(stage)];
    const auto add = [&](const char* what, const std::optional<Bytes>& measured, Bytes expected) {
      if (measured) {
        divergence.memory.push_back({.rank = memory.rank,
                                     .what = what,
                                     .predicted = expected,
                                     .measured = *measured,
                                     .divergence_pct = divergence_pct(static_cast<double>(expected.value),
                                                                      static_cast<double>(measured->value))});
      }
    };
    add("allocated", memory.allocated, predicted.allocated);
    // A framework's log says what its allocator has; a prediction's `reserved` has what is beside it too.
    add("reserved", memory.reserved,
        predicted.reserved - memory_outside_allocator(prediction.scenario, prediction.strategy, stage));
  }
  return {};
}

}  // namespace

Result<Divergence> divergence_from_log(const PlanPrediction& prediction, const MeasuredLog& log) {
  const SteadySteps steady = steady_steps(log.steps);
  Divergence divergence;
  std::vector<Seconds> times;
  for (const std::int32_t index : steady.used) {
    times.push_back(log.steps[static_cast<std::size_t>(index)].time);
  }
  divergence.step = step_divergence(prediction.simulation.estimate.step_time, times);
  PORTOLAN_CHECK_OK(add_logged_memory(prediction, log, divergence));
  const std::vector<KindSamples> kinds = timer_samples(prediction, log, steady);
  divergence.by_kind = kind_divergences(kinds);
  divergence.attribution = attribute_divergence(kinds, divergence.step.predicted, divergence.step.measured);
  divergence.notes.push_back(excluded_note(log, steady));
  if (log.num_malformed > 0) {
    divergence.notes.push_back(
        fmt::format("{} values that are no finite numbers were left out", log.num_malformed));
  }
  if (log.num_cut_off > 0) {
    divergence.notes.push_back("the log ends within a line, which was left out");
  }
  divergence.invalid_reason = log_invalid_reason(log, steady);
  divergence.valid = divergence.invalid_reason.empty();
  return divergence;
}

}  // namespace portolan
