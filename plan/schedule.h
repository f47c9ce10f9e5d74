#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plan/program.h"
#include "plan/strategy.h"

namespace portolan {

/// One microbatch's pass through a chunk of a stage.
struct Pass {
  Phase phase = Phase::kForward;  ///< kForward; kBackward, or kBackwardInput and kBackwardWeight
  std::int32_t microbatch = 0;
  std::int32_t chunk = 0;

  bool operator==(const Pass&) const = default;
};

struct PipelinePosition {
  std::int32_t stage = 0;
  std::int32_t num_stages = 1;
  std::int32_t num_microbatches = 1;
  std::int32_t num_chunks = 1;  ///< of each stage (virtual stages)
};

/// All forwards, then all backwards, both in ascending order (Huang et al. 2019, arXiv 1811.06965).
std::vector<Pass> gpipe_order(const PipelinePosition& position);

/// min(p - s - 1, m) forwards, then one forward and one backward in turn, then the rest of the backwards: at
/// most min(p - s, m) microbatches are in flight (Narayanan et al. 2021, arXiv 2104.04473, section 2.2).
std::vector<Pass> one_f_one_b_order(const PipelinePosition& position);

/// 1F1B over v chunks a stage: microbatches go through in groups of p, each group through one chunk after
/// another; 2 (p - s - 1) + (v - 1) p forwards come before the first pair. The bubble is (p - 1) (f + b) / v
/// (arXiv 2104.04473, section 2.2; f + b: of a microbatch in a whole stage); at most v p + p - 1 chunks are
/// in flight on the first stage (Korthikanti et al. 2022, arXiv 2205.05198, section 4.2.3). Precondition: m
/// is a multiple of p.
std::vector<Pass> interleaved_order(const PipelinePosition& position);

/// ZB-H1 (Qi et al. 2023, arXiv 2401.10241, section 2.1): 1F1B with the backward split; stage s computes the
/// weight gradients of a microbatch after the input gradients of s further ones, so that no stage holds more
/// than p microbatches. With m >= p the bubble is (p - 1) (f + b - w), where w is
/// no longer than f and b.
std::vector<Pass> zero_bubble_h1_order(const PipelinePosition& position);

std::vector<Pass> pass_order(ScheduleKind schedule, const PipelinePosition& position);

/// Whether the backward of `schedule` is split into input and weight gradients.
bool splits_backward(ScheduleKind schedule);

/// Chunks of `position` that hold activations at the same time, at most: from a forward's start to the end of
/// the backward that needs them last.
std::int32_t max_in_flight(ScheduleKind schedule, const PipelinePosition& position);

/// Whether each forward of chunk `chunk` is followed by its own backward in the stage's list.
bool backward_follows_at_once(ScheduleKind schedule, const PipelinePosition& position, std::int32_t chunk);

/// "F0 F1 B0 F2 B1 B2"; with several chunks "F0.1" is chunk 1 of microbatch 0. I and W: input and weight
/// gradients.
std::string format_order(const std::vector<Pass>& order);

}  // namespace portolan
