#include "plan/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace portolan {

using Direction = Pass::Direction;

std::vector<Pass> gpipe_order(const PipelinePosition& position) {
  std::vector<Pass> order;
  order.reserve(2 * static_cast<std::size_t>(position.num_microbatches));
  for (Direction direction : {Direction::kForward, Direction::kBackward}) {
    for (std::int32_t m = 0; m < position.num_microbatches; ++m) {
      order.push_back({direction, m});
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
    order.push_back({Direction::kForward, i});
  }
  for (std::int32_t i = 0; i < m - warm_up; ++i) {
    order.push_back({Direction::kForward, warm_up + i});
    order.push_back({Direction::kBackward, i});
  }
  for (std::int32_t i = m - warm_up; i < m; ++i) {
    order.push_back({Direction::kBackward, i});
  }
  return order;
}

std::vector<Pass> pass_order(ScheduleKind schedule, const PipelinePosition& position) {
  assert(schedule == ScheduleKind::kGPipe || schedule == ScheduleKind::kOneFOneB);
  return schedule == ScheduleKind::kGPipe ? gpipe_order(position) : one_f_one_b_order(position);
}

std::string format_order(const std::vector<Pass>& order) {
  std::string text;
  for (const Pass& pass : order) {
    text += fmt::format("{}{}{}", text.empty() ? "" : " ", pass.direction == Direction::kForward ? 'F' : 'B',
                        pass.microbatch);
  }
  return text;
}

}  // namespace portolan
