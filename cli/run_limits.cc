#include "cli/run_limits.h"

#include <fmt/format.h>

#include "plan/legality.h"

namespace portolan {

Result<void> check_runs(const Scenario& scenario, const Strategy& s) {
  const auto refuse = [](const std::string& what, std::string_view allowed) {
    return infeasible(fmt::format("run cannot execute {} yet (allowed: {})", what, allowed));
  };
  for (const auto& [word, degree] :
       {std::pair{"tp", s.tensor_parallel}, {"cp", s.context_parallel}, {"ep", s.expert_parallel}}) {
    if (degree > 1) {
      return refuse(fmt::format("{}={}", word, degree), "1");
    }
  }
  if (s.schedule != ScheduleKind::kGPipe && s.schedule != ScheduleKind::kOneFOneB) {
    return refuse(fmt::format("schedule={}", schedule_name(s.schedule)), "gpipe, 1f1b");
  }
  if (s.zero_stage > 0 && zero_sharers(s) > 1) {
    return refuse(fmt::format("zero={}", s.zero_stage), "0");
  }
  if (s.precision != Precision::kFp32) {
    return refuse(fmt::format("precision={}", precision_name(s.precision)), "fp32");
  }
  if (s.offload != Offload::kNone) {
    return refuse(fmt::format("offload={}", offload_name(s.offload)), "none");
  }
  if (const Compression& compression = s.gradient_aggregation.compression; !compression.is_none()) {
    return refuse(fmt::format("compression={}", compression_name(compression)), "none");
  }
  if (sums_beside_backward(s)) {
    return refuse("overlap=true", "false");
  }
  const std::int64_t window = scenario.model.sliding_window.value_or(scenario.sequence_length);
  if (window < scenario.sequence_length) {
    return refuse(fmt::format("a model whose sliding_window is {}", window),
                  fmt::format("none, or the sequence's {} tokens and more", scenario.sequence_length));
  }
  return {};
}

}  // namespace portolan
