#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "plan/divergence.h"
#include "plan/placed_times.h"
#include "plan/rank_place.h"
#include "plan/reserved_memory.h"
#include "plan/timer_spans.h"

namespace portolan {

namespace {

/// Share of unknown kernels from which on kinds cannot be compared.
constexpr double kMostUnknown = 0.2;

struct MeasuredPlace {
  TimeKind kind;
  std::string axis;
  std::string phase;
  std::vector<Seconds> by_step;
};

std::vector<MeasuredPlace> measured_places(const Program& program, const MeasuredTrace& trace) {
  std::vector<MeasuredPlace> places;
  for (const TracedKind& traced : trace.kinds) {
    const std::string axis =
        traced.group == TracedKind::kNone
            ? ""
            : axes_of_group(program, trace.groups[static_cast<std::size_t>(traced.group)]);
    const bool has_phase = traced.phase && !(is_communication(traced.kind) && has_no_phase(axis));
    places.push_back(
        {traced.kind, axis, has_phase ? std::string(phase_word(*traced.phase)) : "", traced.by_step});
  }
  return places;
}

/// What is left of the places of a kind where its measurements do not tell all: what is not told of one is
/// not asked of any, on both sides.
class Coarsening {
 public:
  Coarsening(const std::vector<MeasuredPlace>& measured, bool has_phases) : has_phases_(has_phases) {
    for (const MeasuredPlace& place : measured) {
      if (is_communication(place.kind) && place.axis.empty()) {
        without_axis_.insert(place.kind);
      }
      has_recompute_ = has_recompute_ || place.phase == phase_word(TracedPhase::kRecompute);
    }
  }

  std::string axis(TimeKind kind, const std::string& told) const {
    return without_axis_.contains(kind) ? "" : told;
  }
  std::string phase(TimeKind kind, const std::string& told) const {
    if (!has_phases_ || kind == TimeKind::kUnknown || kind == TimeKind::kCopy ||
        without_axis_.contains(kind)) {
      return "";
    }
    const bool is_recompute = told == phase_word(TracedPhase::kRecompute);
    return is_recompute && !has_recompute_ ? std::string(phase_word(TracedPhase::kBackward)) : told;
  }

 private:
  bool has_phases_;
  bool has_recompute_ = false;
  std::set<TimeKind> without_axis_;
};

std::vector<KindSamples> join_places(const std::vector<PlacedTime>& predicted,
                                     const std::vector<MeasuredPlace>& measured, const MeasuredTrace& trace) {
  const Coarsening coarsening(measured, trace.has_phases);
  std::vector<KindSamples> joined;
  const auto at = [&](TimeKind kind, const std::string& told_axis,
                      const std::string& told_phase) -> KindSamples& {
    const std::string name(time_kind_name(kind));
    const std::string axis = coarsening.axis(kind, told_axis);
    const std::string phase = coarsening.phase(kind, told_phase);
    const auto found = std::find_if(joined.begin(), joined.end(), [&](const KindSamples& one) {
      return one.kind == name && one.axis == axis && one.phase == phase;
    });
    if (found != joined.end()) {
      return *found;
    }
    KindSamples& added = joined.emplace_back(KindSamples{.kind = name, .axis = axis, .phase = phase});
    added.measured.resize(trace.step_times.size());
    // A receive's kernel runs from when it is posted, not from when the peer sends.
    added.includes_waiting = kind == TimeKind::kSendReceive;
    return added;
  };
  for (const PlacedTime& time : predicted) {
    at(time.kind, time.axis, time.phase).predicted += time.time;
  }
  for (const MeasuredPlace& place : measured) {
    KindSamples& samples = at(place.kind, place.axis, place.phase);
    for (std::size_t s = 0; s < place.by_step.size(); ++s) {
      samples.measured[s] += place.by_step[s];
    }
  }
  return joined;
}

Result<std::int32_t> traced_rank(const PlanPrediction& prediction, const MeasuredTrace& trace,
                                 std::optional<std::int32_t> asked) {
  const std::int32_t ranks = prediction.program.num_ranks();
  if (trace.num_ranks && *trace.num_ranks != ranks) {
    return bad_input(
        fmt::format("the trace is of a run of {} ranks (the plan has {})", *trace.num_ranks, ranks));
  }
  if (asked && trace.rank && *asked != *trace.rank) {
    return bad_input(fmt::format("--rank: {} (the trace says that it is of rank {})", *asked, *trace.rank));
  }
  const std::int32_t rank = trace.rank ? *trace.rank : asked.value_or(0);
  if (rank < 0 || rank >= ranks) {
    return bad_input(fmt::format("the trace is of rank {} (the plan has {} ranks, from 0)", rank, ranks));
  }
  return rank;
}

/// The one among those that the timeline has which does what `rank` does: itself, else one of its stage.
Result<std::int32_t> predicted_rank(const PlanPrediction& prediction, std::int32_t rank) {
  const std::vector<TimelineEntry>& entries = prediction.simulation.timeline.entries;
  if (std::any_of(entries.begin(), entries.end(), [&](const TimelineEntry& e) { return e.rank == rank; })) {
    return rank;
  }
  const std::int32_t stage = stage_of(prediction.program, rank);
  if (const auto other = find_rank_of_stage(prediction.program, prediction.simulation.timeline, stage)) {
    return *other;
  }
  return bad_input(fmt::format("the prediction has no rank of stage {}", stage));
}

void add_traced_memory(const PlanPrediction& prediction, const MeasuredTrace& trace, std::int32_t rank,
                       Divergence& divergence) {
  const std::int32_t stage = stage_of(prediction.program, rank);
  const StageMemory& predicted = prediction.simulation.estimate.stage_memory[static_cast<std::size_t>(stage)];
  const auto add = [&](const char* what, const std::optional<Bytes>& measured, Bytes expected) {
    if (measured && measured->value > 0) {
      divergence.memory.push_back({.rank = rank,
                                   .what = what,
                                   .predicted = expected,
                                   .measured = *measured,
                                   .divergence_pct = divergence_pct(static_cast<double>(expected.value),
                                                                    static_cast<double>(measured->value))});
    }
  };
  add("allocated", trace.allocated, predicted.allocated);
  add("reserved", trace.reserved,
      predicted.reserved - memory_outside_allocator(prediction.scenario, prediction.strategy, stage));
}

double unknown_share(const MeasuredTrace& trace) {
  Seconds all, unknown;
  for (const TracedKind& kind : trace.kinds) {
    const Seconds time = median(kind.by_step);
    all += time;
    unknown += kind.kind == TimeKind::kUnknown ? time : Seconds(0);
  }
  return all > Seconds(0) ? unknown / all : 0;
}

void add_notes(const MeasuredTrace& trace, std::int32_t rank, Divergence& divergence) {
  std::vector<std::string>& notes = divergence.notes;
  notes.push_back(trace.has_steps
                      ? fmt::format("trace of rank {}: {} steps, {} kernels", rank, trace.step_times.size(),
                                    trace.num_kernels)
                      : fmt::format("trace of rank {}: it marks no steps (ProfilerStep#N) and was divided by "
                                    "--steps; {} kernels",
                                    rank, trace.num_kernels));
  if (!trace.has_phases) {
    notes.emplace_back("it does not tell what launched its kernels: phases are not compared");
  }
  if (trace.num_outside > 0) {
    notes.push_back(
        fmt::format("{} kernels were launched outside of the steps and left out", trace.num_outside));
  }
  if (trace.num_malformed > 0) {
    notes.push_back(fmt::format("{} events lack what they need and were left out", trace.num_malformed));
  }
}

std::string trace_invalid_reason(const MeasuredTrace& trace) {
  if (trace.step_times.size() < kLeastStepsToAttribute || !trace.has_steps) {
    return fmt::format("{} marked steps say nothing of noise (needed: {} or more)",
                       trace.has_steps ? trace.step_times.size() : 0, kLeastStepsToAttribute);
  }
  if (const double share = unknown_share(trace); share > kMostUnknown) {
    return fmt::format("{:.0f}% of the kernels' time is of kernels that no rule knows (allowed: {:.0f}%)",
                       100 * share, 100 * kMostUnknown);
  }
  return "";
}

}  // namespace

Result<Divergence> divergence_from_trace(const PlanPrediction& prediction, const MeasuredTrace& trace,
                                         std::optional<std::int32_t> asked_rank) {
  PORTOLAN_TRY(const std::int32_t rank, traced_rank(prediction, trace, asked_rank));
  PORTOLAN_TRY(const std::int32_t as_rank, predicted_rank(prediction, rank));
  const KernelCost cost(prediction.scenario.hardware, prediction.strategy.precision,
                        prediction.scenario.software);
  const std::vector<PlacedTime> predicted =
      predicted_placed_times(prediction.program, cost, prediction.simulation.timeline, as_rank);
  std::vector<KindSamples> kinds = join_places(predicted, measured_places(prediction.program, trace), trace);
  Seconds computing;
  for (const PlacedTime& time : predicted) {
    computing += is_communication(time.kind) || time.kind == TimeKind::kCopy ? Seconds(0) : time.time;
  }
  kinds.push_back({.kind = kWaitKind,
                   .axis = "",
                   .phase = "",
                   .predicted = std::max(Seconds(0), prediction.simulation.timeline.makespan - computing),
                   .measured = trace.wait_times});
  Divergence divergence;
  divergence.step = step_divergence(prediction.simulation.estimate.step_time, trace.step_times);
  divergence.by_kind = kind_divergences(kinds);
  divergence.attribution = attribute_divergence(kinds, divergence.step.predicted, divergence.step.measured);
  divergence.unknown = trace.unknown;
  add_traced_memory(prediction, trace, rank, divergence);
  add_notes(trace, rank, divergence);
  divergence.invalid_reason = trace_invalid_reason(trace);
  divergence.valid = divergence.invalid_reason.empty();
  return divergence;
}

}  // namespace portolan
