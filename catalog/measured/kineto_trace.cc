#include "catalog/measured/kineto_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "catalog/document/node.h"
#include "catalog/measured/kernel_rules.h"
#include "catalog/measured/kineto_events.h"
#include "catalog/measured/launch_context.h"

namespace portolan {

namespace {

using Span = TraceEvents::Span;

constexpr std::size_t kOutside = static_cast<std::size_t>(-1);

/// Sorts a trace's device work into steps and kinds.
class TraceReader {
 public:
  TraceReader(TraceEvents events, std::int64_t steps_without_marks)
      : events_(std::move(events)), contexts_(launch_contexts(events_)), divisor_(1) {
    std::sort(events_.steps.begin(), events_.steps.end(),
              [](const Span& a, const Span& b) { return a.start_us < b.start_us; });
    trace_.has_steps = !events_.steps.empty();
    if (!trace_.has_steps) {
      divisor_ = static_cast<double>(steps_without_marks);
    }
    find_kinds_of_names();
    assign_steps();
  }

  MeasuredTrace read() {
    trace_.rank = events_.rank;
    trace_.num_ranks = events_.num_ranks;
    trace_.num_malformed = events_.num_malformed;
    trace_.allocated = events_.allocated;
    trace_.reserved = events_.reserved;
    trace_.has_phases =
        std::any_of(contexts_.begin(), contexts_.end(), [](const LaunchContext& c) { return c.in_backward; });
    find_last_backward();
    for (std::size_t i = 0; i < events_.work.size(); ++i) {
      if (step_[i] != kOutside) {
        add(i);
      }
    }
    add_step_times();
    add_unknown();
    return std::move(trace_);
  }

  bool has_compute() const { return num_steps_ > 0; }

 private:
  void find_kinds_of_names() {
    for (const std::string& name : events_.names) {
      kind_of_name_.push_back(time_kind_of_kernel(name));
    }
  }

  const TraceEvents::Communication* asked_of(std::size_t i) const {
    return communication_of(events_, contexts_[i], i);
  }
  TimeKind kind_of(std::size_t i) const {
    return kind_of_work(kind_of_name_[static_cast<std::size_t>(events_.work[i].name)], asked_of(i));
  }
  bool is_compute(std::size_t i) const {
    const TimeKind kind = kind_of(i);
    return !is_communication(kind) && kind != TimeKind::kCopy;
  }

  /// The step in whose span each kernel was launched. Steps without compute are no steps.
  void assign_steps() {
    const std::vector<Span>& spans = events_.steps;
    step_.assign(events_.work.size(), spans.empty() ? 0 : kOutside);
    for (std::size_t i = 0; i < events_.work.size() && !spans.empty(); ++i) {
      const double time = contexts_[i].time_us;
      auto span = std::upper_bound(spans.begin(), spans.end(), time,
                                   [](double t, const Span& s) { return t < s.start_us; });
      if (span != spans.begin() && time < std::prev(span)->end_us()) {
        step_[i] = static_cast<std::size_t>(std::prev(span) - spans.begin());
      }
    }
    std::vector<std::size_t> renumbered(std::max<std::size_t>(spans.size(), 1), kOutside);
    for (std::size_t i = 0; i < step_.size(); ++i) {
      if (step_[i] != kOutside && is_compute(i)) {
        renumbered[step_[i]] = 0;
      }
    }
    for (std::size_t s = 0; s < renumbered.size(); ++s) {
      if (renumbered[s] != kOutside) {
        renumbered[s] = num_steps_++;
        host_end_us_.push_back(spans.empty() ? 0 : spans[s].end_us());
      }
    }
    for (std::size_t& step : step_) {
      step = step == kOutside ? kOutside : renumbered[step];
      trace_.num_outside += step == kOutside ? 1 : 0;
    }
  }

  /// What is launched later than this belongs to the optimizer, whatever the framework calls it.
  void find_last_backward() {
    last_backward_us_.assign(num_steps_, 0);
    for (std::size_t i = 0; i < contexts_.size(); ++i) {
      if (contexts_[i].in_backward && step_[i] != kOutside) {
        last_backward_us_[step_[i]] = std::max(last_backward_us_[step_[i]], contexts_[i].time_us);
      }
    }
  }

  std::optional<TracedPhase> phase_of(std::size_t i, TimeKind kind) const {
    const LaunchContext& context = contexts_[i];
    if (!trace_.has_phases) {
      return std::nullopt;
    }
    if (kind == TimeKind::kOptimizer || context.in_optimizer) {
      return TracedPhase::kOptimizer;
    }
    if (context.in_backward) {
      return context.in_recompute ? TracedPhase::kRecompute : TracedPhase::kBackward;
    }
    const bool is_late =
        trace_.has_steps && last_backward_us_[step_[i]] > 0 && context.time_us > last_backward_us_[step_[i]];
    return is_late ? TracedPhase::kOptimizer : TracedPhase::kForward;
  }

  std::int32_t group_of(std::size_t i, TimeKind kind) {
    const TraceEvents::Communication* asked = is_communication(kind) ? asked_of(i) : nullptr;
    if (asked == nullptr) {
      return TracedKind::kNone;
    }
    const auto found = std::find(trace_.groups.begin(), trace_.groups.end(), asked->group);
    if (found == trace_.groups.end()) {
      trace_.groups.push_back(asked->group);
      return static_cast<std::int32_t>(trace_.groups.size()) - 1;
    }
    return static_cast<std::int32_t>(found - trace_.groups.begin());
  }

  void add(std::size_t i) {
    const TimeKind kind = kind_of(i);
    const Seconds time(events_.work[i].span.duration_us / 1e6 / divisor_);
    const auto phase = phase_of(i, kind);
    const auto key = std::tuple(kind, group_of(i, kind), phase);
    const auto [place, is_new] = kind_index_.try_emplace(key, trace_.kinds.size());
    if (is_new) {
      trace_.kinds.push_back({kind, std::get<1>(key), phase, std::vector<Seconds>(num_steps_)});
    }
    trace_.kinds[place->second].by_step[step_[i]] += time;
    ++trace_.num_kernels;
  }

  void add_step_times() {
    struct StepOnDevice {
      double first_us = 0, last_us = 0;
      std::vector<Span> compute;
    };
    std::vector<StepOnDevice> steps(num_steps_);
    for (std::size_t i = 0; i < step_.size(); ++i) {
      if (step_[i] == kOutside) {
        continue;
      }
      StepOnDevice& step = steps[step_[i]];
      const Span& span = events_.work[i].span;
      step.last_us = std::max(step.last_us, span.end_us());
      if (is_compute(i)) {
        step.first_us = step.compute.empty() ? span.start_us : std::min(step.first_us, span.start_us);
        step.compute.push_back(span);
      }
    }
    for (std::size_t s = 0; s < steps.size(); ++s) {
      const double end =
          s + 1 < steps.size() ? steps[s + 1].first_us : std::max(steps[s].last_us, host_end_us_[s]);
      const double length = std::max(end - steps[s].first_us, 0.0);
      trace_.step_times.push_back(Seconds(length / 1e6 / divisor_));
      trace_.wait_times.push_back(
          Seconds(std::max(length - covered_us(std::move(steps[s].compute)), 0.0) / 1e6 / divisor_));
    }
  }

  /// How long at least one of `spans` runs.
  static double covered_us(std::vector<Span> spans) {
    std::sort(spans.begin(), spans.end(),
              [](const Span& a, const Span& b) { return a.start_us < b.start_us; });
    double covered = 0;
    double until = spans.empty() ? 0 : spans.front().start_us;
    for (const Span& span : spans) {
      covered += std::max(0.0, span.end_us() - std::max(until, span.start_us));
      until = std::max(until, span.end_us());
    }
    return covered;
  }

  void add_unknown() {
    std::map<std::int32_t, UnknownKernel> unknown;
    for (std::size_t i = 0; i < step_.size(); ++i) {
      if (step_[i] != kOutside && kind_of(i) == TimeKind::kUnknown) {
        UnknownKernel& kernel = unknown[events_.work[i].name];
        ++kernel.count;
        kernel.time +=
            Seconds(events_.work[i].span.duration_us / 1e6 / divisor_ / static_cast<double>(num_steps_));
      }
    }
    for (auto& [name, kernel] : unknown) {
      kernel.name = printable(events_.names[static_cast<std::size_t>(name)]);
      trace_.unknown.push_back(std::move(kernel));
    }
    std::stable_sort(trace_.unknown.begin(), trace_.unknown.end(),
                     [](const UnknownKernel& a, const UnknownKernel& b) { return a.time > b.time; });
  }

  TraceEvents events_;
  std::vector<LaunchContext> contexts_;
  double divisor_;  ///< of times: steps that the trace does not mark
  MeasuredTrace trace_;
  std::size_t num_steps_ = 0;
  std::vector<std::size_t> step_;  ///< of each of events_.work
  std::vector<TimeKind> kind_of_name_;
  std::vector<double> host_end_us_;
  std::vector<double> last_backward_us_;
  std::map<std::tuple<TimeKind, std::int32_t, std::optional<TracedPhase>>, std::size_t> kind_index_;
};

}  // namespace

Result<MeasuredTrace> read_kineto_trace(std::istream& stream, const std::string& file,
                                        const KinetoTraceOptions& options) {
  PORTOLAN_TRY(TraceEvents events, read_kineto_events(stream, file));
  if (events.work.empty()) {
    return bad_input(fmt::format(
        "{}: has no kernels (needed: a trace with ProfilerActivity.CUDA, of events with cat \"kernel\")",
        printable(file)));
  }
  TraceReader reader(std::move(events), options.steps_without_marks);
  if (!reader.has_compute()) {
    return bad_input(
        fmt::format("{}: no kernel was launched within its steps (ProfilerStep#N)", printable(file)));
  }
  return reader.read();
}

}  // namespace portolan
