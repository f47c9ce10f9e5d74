#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "plan/program.h"
#include "plan/timeline.h"

namespace portolan {

/// What a framework's timer runs over, in one step of one rank.
enum class TimerSpan : std::uint8_t {
  kForward,          ///< each microbatch's forward, from its first kernel to its last
  kBackward,         ///< each microbatch's backward, with what it recomputes
  kForwardBackward,  ///< from the first forward to the last backward: waiting for other stages included
  kGradientSync,     ///< gradients of replicas are summed, where no forward or backward runs meanwhile
  kEmbeddingSync,    ///< those of an embedding that the first and the last stage share
  kParameterGather,  ///< after the optimizer
  kOptimizer,        ///< with that
};

/// "forward", "backward", ...
std::string_view timer_span_name(TimerSpan span);

/// What the timer that a framework calls `name` runs over; none: a timer that is not compared. Sources:
/// megatron/training/training.py, megatron/core/pipeline_parallel/schedules.py, deepspeed/utils/timer.py.
std::optional<TimerSpan> find_timer_span(std::string_view name);
/// Whether other timers run within it, or peers are waited for.
bool is_sum_of_spans(TimerSpan span);

/// How long `span` is predicted to take on `stage`, of whose ranks `timeline` has at least one.
Seconds predicted_span(const Program& program, const Timeline& timeline, std::int32_t stage, TimerSpan span);
/// On the stage where it takes longest.
Seconds longest_predicted_span(const Program& program, const Timeline& timeline, TimerSpan span);

/// The first rank of `stage` that `timeline` has entries of; none: it has no rank of the stage.
std::optional<std::int32_t> find_rank_of_stage(const Program& program, const Timeline& timeline,
                                               std::int32_t stage);

}  // namespace portolan
