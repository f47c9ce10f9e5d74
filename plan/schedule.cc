#include "plan/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace portolan {

namespace {

/// The i-th pass of one direction: groups of p microbatches go through all chunks, one after another.
Pass interleaved_pass(Phase phase, std::int32_t i, const PipelinePosition& position) {
  const std::int32_t p = position.num_stages;
  const std::int32_t v = position.num_chunks;
  const std::int32_t within = i % (p * v);
  const std::int32_t chunk = within / p;
  return {phase, i / (p * v) * p + within % p, phase == Phase::kForward ? chunk : v - 1 - chunk};
}

}  // namespace

std::vector<Pass> gpipe_order(const PipelinePosition& position) {
  std::vector<Pass> order;
  order.reserve(2 * static_cast<std::size_t>(position.num_microbatches));
  for (const Phase phase : {Phase::kForward, Phase::kBackward}) {
    for (std::int32_t m = 0; m < position.num_microbatches; ++m) {
      order.push_back({phase, m});
    }
  }
  return order;
}

std::vector<Pass> one_f_one_b_order(const PipelinePosition& position) {
  const std::int32_t m = position.num_microbatches;
  const std::int32_t warm_up = std::min(position.num_stages - position.stage - 1, m);
  std::vector<Pass> order;
  order.reserve(2 * static_cast<std::size_t>(m));
  for (std::int32_t i = 0; i < warm_up; ++i) {
    order.push_back({Phase::kForward, i});
  }
  for (std::int32_t i = 0; i < m - warm_up; ++i) {
    order.push_back({Phase::kForward, warm_up + i});
    order.push_back({Phase::kBackward, i});
  }
  for (std::int32_t i = m - warm_up; i < m; ++i) {
    order.push_back({Phase::kBackward, i});
  }
  return order;
}

std::vector<Pass> interleaved_order(const PipelinePosition& position) {
  const std::int32_t p = position.num_stages;
  assert(position.num_microbatches % p == 0);
  const std::int32_t passes = position.num_microbatches * position.num_chunks;
  const std::int32_t warm_up = std::min(2 * (p - position.stage - 1) + (position.num_chunks - 1) * p, passes);
  std::vector<Pass> order;
  order.reserve(2 * static_cast<std::size_t>(passes));
  for (std::int32_t i = 0; i < warm_up; ++i) {
    order.push_back(interleaved_pass(Phase::kForward, i, position));
  }
  for (std::int32_t i = 0; i < passes; ++i) {
    if (warm_up + i < passes) {
      order.push_back(interleaved_pass(Phase::kForward, warm_up + i, position));
    }
    order.push_back(interleaved_pass(Phase::kBackward, i, position));
  }
  return order;
}

std::vector<Pass> zero_bubble_h1_order(const PipelinePosition& position) {
  const std::int32_t m = position.num_microbatches;
  const std::int32_t warm_up = std::min(position.num_stages - position.stage - 1, m);
  const std::int32_t deferred = position.stage;
  std::vector<Pass> order;
  order.reserve(3 * static_cast<std::size_t>(m));
  for (std::int32_t i = 0; i < warm_up; ++i) {
    order.push_back({Phase::kForward, i});
  }
  for (std::int32_t i = 0; i < m; ++i) {
    if (warm_up + i < m) {
      order.push_back({Phase::kForward, warm_up + i});
    }
    order.push_back({Phase::kBackwardInput, i});
    if (i >= deferred) {
      order.push_back({Phase::kBackwardWeight, i - deferred});
    }
  }
  for (std::int32_t i = std::max(m - deferred, 0); i < m; ++i) {
    order.push_back({Phase::kBackwardWeight, i});
  }
  return order;
}

std::vector<Pass> pass_order(ScheduleKind schedule, const PipelinePosition& position) {
  switch (schedule) {
    case ScheduleKind::kGPipe:
      return gpipe_order(position);
    case ScheduleKind::kOneFOneB:
      return one_f_one_b_order(position);
    case ScheduleKind::kInterleaved:
      return interleaved_order(position);
    case ScheduleKind::kZeroBubbleH1:
      return zero_bubble_h1_order(position);
  }
  return {};
}

bool splits_backward(ScheduleKind schedule) { return schedule == ScheduleKind::kZeroBubbleH1; }

bool backward_follows_at_once(ScheduleKind schedule, const PipelinePosition& position, std::int32_t chunk) {
  const std::int32_t p = position.num_stages;
  const std::int32_t m = position.num_microbatches;
  switch (schedule) {
    case ScheduleKind::kGPipe:
      return m == 1;
    case ScheduleKind::kOneFOneB:
    case ScheduleKind::kZeroBubbleH1:
      return m == 1 || position.stage == p - 1;
    case ScheduleKind::kInterleaved:
      // Before the first backward run at least a group of p for each chunk but the last: the pairs of the
      // last stage are of one microbatch in the last chunk only, unless there is one microbatch alone.
      return chunk == position.num_chunks - 1 && (position.stage == p - 1 || m * position.num_chunks == 1);
  }
  return false;
}

std::int32_t max_in_flight(ScheduleKind schedule, const PipelinePosition& position) {
  const std::int32_t p = position.num_stages;
  const std::int32_t m = position.num_microbatches;
  switch (schedule) {
    case ScheduleKind::kGPipe:
      return m;
    case ScheduleKind::kOneFOneB:
      return std::min(p - position.stage, m);
    case ScheduleKind::kInterleaved:
      return std::min(2 * (p - position.stage - 1) + (position.num_chunks - 1) * p + 1,
                      m * position.num_chunks);
    case ScheduleKind::kZeroBubbleH1:
      return std::min(p, m);
  }
  return m;
}

std::string format_order(const std::vector<Pass>& order) {
  const bool chunks =
      std::any_of(order.begin(), order.end(), [](const Pass& pass) { return pass.chunk > 0; });
  std::string text;
  for (const Pass& pass : order) {
    const char letter = pass.phase == Phase::kForward         ? 'F'
                        : pass.phase == Phase::kBackward      ? 'B'
                        : pass.phase == Phase::kBackwardInput ? 'I'
                                                              : 'W';
    text += fmt::format("{}{}{}", text.empty() ? "" : " ", letter, pass.microbatch);
    if (chunks) {
      text += fmt::format(".{}", pass.chunk);
    }
  }
  return text;
}

}  // namespace portolan
