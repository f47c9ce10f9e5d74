#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plan/strategy.h"

namespace portolan {

/// One microbatch's pass through a stage.
struct Pass {
  enum class Direction : std::uint8_t { kForward, kBackward };
  Direction direction = Direction::kForward;
  std::int32_t microbatch = 0;

  bool operator==(const Pass&) const = default;
};

struct PipelinePosition {
  std::int32_t stage = 0;
  std::int32_t num_stages = 1;
  std::int32_t num_microbatches = 1;
};

/// All forwards, then all backwards, both in ascending order (Huang et al. 2019, arXiv 1811.06965).
std::vector<Pass> gpipe_order(const PipelinePosition& position);

/// min(p - s - 1, m) forwards, then one forward and one backward in turn, then the rest of the backwards: at
/// most min(p - s, m) microbatches are in flight (Narayanan et al. 2021, arXiv 2104.04473, section 2.2).
std::vector<Pass> one_f_one_b_order(const PipelinePosition& position);

/// Precondition: `schedule` is one that check_strategy lets through.
std::vector<Pass> pass_order(ScheduleKind schedule, const PipelinePosition& position);

/// "F0 F1 B0 F2 B1 B2".
std::string format_order(const std::vector<Pass>& order);

}  // namespace portolan
