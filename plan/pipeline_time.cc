#include "plan/pipeline_time.h"

#include <algorithm>
#include <cassert>
#include <optional>

#include "plan/pipeline_walk.h"

namespace portolan {

namespace {

/// Of all stages.
struct Whole {
  Seconds back;  ///< until the last pass of the first stage, its last weight gradients aside
  Seconds time;
};

Seconds send_before(const PipelinePasses& passes, std::size_t stage) {
  return stage > 0 ? passes.sends[stage - 1] : Seconds(0);
}

Seconds gpipe_time(const PipelinePasses& passes, const PipelineShape& shape) {
  Seconds fill, slowest_forward, slowest_backward;
  for (std::size_t i = 0; i < passes.sends.size(); ++i) {
    const ChunkPass& stage = passes.chunks[i];
    const Seconds send = passes.sends[i];
    const Seconds before = send_before(passes, i);
    const Seconds both_ways = shape.blocking_sends ? std::max(before, send) : Seconds(0);
    fill += stage.forward + stage.backward + send * 2.0;
    slowest_forward =
        std::max(slowest_forward, stage.forward + stage.further_forward + std::max(before, both_ways));
    slowest_backward =
        std::max(slowest_backward, stage.backward + stage.further_backward + std::max(send, both_ways));
  }
  return fill + (slowest_forward + slowest_backward) * (shape.num_microbatches - 1);
}

/// 1F1B and ZB-H1. A chain of passes goes through the pairs of a forward and a backward of one stage; before
/// the first of these it may go on to a later stage and back, and likewise after the last. A stage has as
/// many further forwards before its first pair as stages are behind it, and as many backwards after its last:
/// a chain takes the longest of them that it comes by.
Whole alternating_time(const PipelinePasses& passes, const PipelineShape& shape) {
  const auto num_stages = static_cast<std::int32_t>(passes.sends.size());
  struct Turn {
    Seconds there_and_back;  ///< from the first stage, to turn at this one
    Seconds filling;         ///< with the forwards that come before the turn
    Seconds draining;        ///< with the backwards that come after it
    Seconds weights;         ///< at the very end, beyond the way up
  };
  std::vector<Turn> turns(passes.sends.size());
  Seconds there_and_back, longest_forward, longest_backward, up, weights;
  for (std::size_t i = 0; i < turns.size(); ++i) {
    const ChunkPass& stage = passes.chunks[i];
    const Seconds before = send_before(passes, i);
    const Seconds send = passes.sends[i];
    there_and_back += stage.forward + stage.backward + before * 2.0;
    longest_forward = std::max(longest_forward, stage.forward + before);
    longest_backward = std::max(longest_backward, stage.backward + stage.weight + send);
    weights = std::max(weights, stage.weight * (static_cast<double>(i) + 1) - up);
    up += stage.backward + send;
    const auto behind = std::min(num_stages - static_cast<std::int32_t>(i), shape.num_microbatches) - 1;
    const Seconds turned = there_and_back + send;
    turns[i] = {there_and_back, turned + longest_forward * behind, turned + longest_backward * behind,
                weights};
  }
  Whole whole;
  Seconds filling, draining, ending;
  for (std::int32_t i = num_stages - 1; i >= std::max(num_stages - shape.num_microbatches, 0); --i) {
    const auto at = static_cast<std::size_t>(i);
    const ChunkPass& stage = passes.chunks[at];
    const Turn& own = turns[at];
    filling = std::max(filling, own.filling);
    draining = std::max(draining, own.draining);
    ending = std::max(ending, own.draining + own.weights);
    const std::int32_t full = shape.num_microbatches - num_stages;  // pairs with weight gradients
    const Seconds pair = stage.forward + stage.backward + send_before(passes, at) + passes.sends[at] +
                         stage.further_forward + stage.further_backward;
    const Seconds pairs = pair * (full + i) + stage.weight * full - own.there_and_back;
    const auto longest = [&](Seconds after, Seconds own_after) {
      return pairs + (full + i > 0 ? filling + after : std::max(filling + own_after, own.filling + after));
    };
    whole.back = std::max(whole.back, longest(draining, own.draining));
    whole.time = std::max(whole.time, longest(ending, own.draining + own.weights));
  }
  return whole;
}

/// Compute of a microbatch in a chunk between the ends, and in the end chunks beyond that.
struct ChunkCompute {
  struct Parts {
    Seconds forward, backward, weight;

    Seconds total() const { return forward + backward + weight; }
    Seconds least() const { return std::min({forward, backward, weight}); }
    Parts operator-(const Parts& other) const {
      return {forward - other.forward, backward - other.backward, weight - other.weight};
    }
  };

  explicit ChunkCompute(const std::vector<ChunkPass>& chunks) {
    const auto compute = [](const ChunkPass& pass) {
      return Parts{pass.forward - pass.waits_forward, pass.backward - pass.waits_backward, pass.weight};
    };
    const Parts one = compute(chunks.front()), other = compute(chunks.back());
    middle = chunks.size() > 2
                 ? compute(chunks[1])
                 : Parts{std::min(one.forward, other.forward), std::min(one.backward, other.backward),
                         std::min(one.weight, other.weight)};
    first = one - middle;
    last = other - middle;
  }

  Parts middle, first, last;
};

Seconds interleaved_time(const PipelinePasses& passes, const PipelineShape& shape,
                         const ChunkCompute& compute) {
  const std::size_t p = passes.sends.size();
  const double v = shape.num_chunks;
  const auto alike = [](const ChunkPass& pass) { return pass.forward + pass.backward - pass.unlike; };
  const Seconds first =
      std::max(alike(passes.chunks.front()) - alike(passes.chunks[1]), compute.first.total());
  struct Stage {
    Seconds pass, further;
  };
  std::vector<Stage> stages(p);
  for (std::size_t k = 0; k < passes.chunks.size(); ++k) {
    const ChunkPass& chunk = passes.chunks[k];
    stages[k % p].pass += chunk.forward + chunk.backward;
    stages[k % p].further += chunk.further_forward + chunk.further_backward;
  }
  const auto bubble = [&](std::size_t stage) {  // of all others
    return stages[stage].pass * (1 / v) + (stage > 0 ? Seconds(0) : first * (static_cast<double>(p) - 1 / v));
  };
  Seconds bubbles, sends;
  for (std::size_t i = 0; i < p; ++i) {
    bubbles += bubble(i);
    sends += i + 1 < p ? passes.sends[i] * 2.0 : Seconds(0);
  }
  Seconds longest;
  for (std::size_t i = 0; i < p; ++i) {
    const Seconds before = i > 0 ? passes.sends[i - 1] : passes.sends.back() * (v - 1) * (1 / v);
    const Seconds pass = stages[i].pass + (before + passes.sends[i]) * v + stages[i].further;
    longest =
        std::max(longest, stages[i].pass + pass * (shape.num_microbatches - 1) + bubbles - bubble(i) + sends);
  }
  return longest;
}

/// Those after a stage hand it the last microbatch back one by one.
std::vector<Seconds> ends_of(const Whole& whole, const PipelinePasses& passes, const PipelineShape& shape) {
  const std::size_t p = passes.sends.size();
  const double chunks = shape.num_chunks;
  std::vector<Seconds> ends;
  ends.reserve(p);
  Seconds up;
  for (std::size_t i = 0; i < p; ++i) {
    const Seconds weights = passes.chunks[i].weight * (static_cast<double>(i) + 1);
    ends.push_back(std::min(whole.time, whole.back - up + weights));
    Seconds backward;
    for (std::size_t k = i; k < passes.chunks.size(); k += p) {
      backward += passes.chunks[k].backward;
    }
    up += backward * (1 / chunks) + passes.sends[i];
  }
  return ends;
}

/// Whether interleaved_time() or alternating_time() of ZB-H1 is exact for free sends that do not block, and
/// with held_up() no less than what it takes with others.
bool has_formula(const PipelineShape& shape, std::int32_t num_stages, const ChunkCompute& compute) {
  const auto& [middle, first, last] = compute;
  if (std::min(first.least(), last.least()) < Seconds(0)) {
    return false;
  }
  if (shape.schedule == ScheduleKind::kZeroBubbleH1) {
    return shape.num_microbatches >= num_stages &&
           (!shape.blocking_sends || middle.weight <= std::min(middle.forward, middle.backward));
  }
  const bool each_way = first.forward <= last.forward && first.backward <= last.backward;
  return first.total() <= std::min(last.total(), middle.total() * 0.25) &&
         (!shape.blocking_sends || each_way);
}

/// Where sends block, what stages wait for the first chunk at most, beyond what they do anyway.
Seconds held_up(const PipelineShape& shape, std::int32_t num_stages, const ChunkCompute& compute) {
  if (!shape.blocking_sends) {
    return {};
  }
  if (shape.schedule == ScheduleKind::kZeroBubbleH1) {
    return compute.first.total() * shape.num_microbatches;
  }
  // From one group of microbatches to the next.
  return std::max(compute.first.forward, compute.first.backward) *
         ((shape.num_microbatches / num_stages - 1) * (num_stages == 2 ? 2.0 : 1.0));
}

/// ZB-H1 with what its first stage computes beyond the others in held_up().
PipelinePasses without_first(PipelinePasses passes, const ChunkCompute& compute) {
  ChunkPass& first = passes.chunks.front();
  first.forward -= compute.first.forward;
  first.backward -= compute.first.backward;
  first.weight -= compute.first.weight;
  return passes;
}

/// Where a formula says it.
std::optional<Whole> whole_time(const PipelinePasses& passes, const PipelineShape& shape) {
  const auto of_all = [](Seconds time) { return Whole{time, time}; };
  if (shape.schedule == ScheduleKind::kGPipe) {
    return of_all(gpipe_time(passes, shape));
  }
  if (shape.schedule == ScheduleKind::kOneFOneB) {
    return alternating_time(passes, shape);
  }
  constexpr double kHardlyAnything = 0.005;
  const auto num_stages = static_cast<std::int32_t>(passes.sends.size());
  const ChunkCompute compute(passes.chunks);
  const Seconds waits = held_up(shape, num_stages, compute);
  const Seconds passes_of_stage = compute.middle.total() * (shape.num_microbatches * shape.num_chunks);
  if (!passes.alike_between_ends || !has_formula(shape, num_stages, compute) ||
      waits > passes_of_stage * kHardlyAnything) {
    return std::nullopt;
  }
  if (shape.schedule == ScheduleKind::kInterleaved) {
    return of_all(interleaved_time(passes, shape, compute) + waits);
  }
  const Whole whole = shape.blocking_sends ? alternating_time(without_first(passes, compute), shape)
                                           : alternating_time(passes, shape);
  return Whole{whole.back + waits, whole.time + waits};
}

}  // namespace

std::vector<Seconds> pipeline_ends(const PipelinePasses& passes, const PipelineShape& shape) {
  assert(passes.chunks.size() == passes.sends.size() * static_cast<std::size_t>(shape.num_chunks));
  assert(!passes.sends.empty() && shape.num_microbatches >= 1);
  const std::optional<Whole> whole = whole_time(passes, shape);
  return whole ? ends_of(*whole, passes, shape) : pipeline_walk(passes, shape);
}

}  // namespace portolan
