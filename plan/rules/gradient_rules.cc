#include <fmt/format.h>

#include "base/parse_quantity.h"
#include "plan/rules/rules.h"
#include "plan/schedule.h"

namespace portolan {

Found find_split_backward_problem(const Scenario&, const Strategy& s) {
  if (s.zero_stage >= 2 && splits_backward(s.schedule)) {
    return not_available(
        fmt::format("ZeRO stage {} with schedule {}", s.zero_stage, schedule_name(s.schedule)),
        "gpipe, 1f1b, interleaved");
  }
  return std::nullopt;
}

/// Who shares what ZeRO divides.
Found find_sharing_problem(const Scenario&, const Strategy& s) {
  if (s.zero_stage < 0 || s.zero_stage > 3) {
    return reject(RejectReason::kDegrees, fmt::format("zero={} (allowed: 0 to 3)", s.zero_stage));
  }
  if (s.zero_group < 0 || (s.zero_group > 0 && num_data_ranks(s) % s.zero_group != 0)) {
    return reject(
        RejectReason::kDegrees,
        fmt::format("zero_group={} (allowed: 0, the whole data-parallel group, or a divisor of dp {}{})",
                    s.zero_group, s.data_parallel,
                    s.context_parallel > 1 ? fmt::format(" x cp {}", s.context_parallel) : ""));
  }
  return std::nullopt;
}

/// How gradients are summed.
Found find_aggregation_problem(const Scenario&, const Strategy& s) {
  const GradientAggregation& sums = s.gradient_aggregation;
  if (sums.bucket.value > 0 && !sums.overlap) {
    return reject(
        RejectReason::kNotAvailable,
        fmt::format("bucket of {} with overlap=false, which sums a stage's gradients at once (allowed: "
                    "bucket=0, overlap=true)",
                    format_bytes(sums.bucket)));
  }
  if (sums.overlap && s.zero_stage >= 2 && !has_all_reduces(s)) {
    return reject(RejectReason::kNotAvailable,
                  fmt::format("overlap with ZeRO stage {}, which reduces gradients block by block in every "
                              "backward (allowed: overlap=false; zero=0, zero=1; zero_group below the {} "
                              "data-parallel ranks)",
                              s.zero_stage, num_data_ranks(s)));
  }
  if (sums.algorithm == CollectiveAlgorithm::kTree && num_data_ranks(s) > 1 && !has_all_reduces(s)) {
    return reject(RejectReason::kNotAvailable,
                  fmt::format("aggregation tree with ZeRO stage {}, which reduces and scatters gradients, "
                              "and of that there are no trees (allowed: ring, hierarchical; zero=0; "
                              "zero_group below the {} data-parallel ranks)",
                              s.zero_stage, num_data_ranks(s)));
  }
  return std::nullopt;
}

}  // namespace portolan
