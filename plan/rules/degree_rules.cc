#include <fmt/format.h>

#include "plan/rules/rules.h"

namespace portolan {

Found find_degree_problem(const Scenario& scenario, const Strategy& s) {
  for (const auto& [word, degree] : {std::pair{"tp", s.tensor_parallel},
                                     {"pp", s.pipeline_parallel},
                                     {"dp", s.data_parallel},
                                     {"cp", s.context_parallel},
                                     {"ep", s.expert_parallel}}) {
    if (degree < 1) {
      return reject(RejectReason::kDegrees, fmt::format("{}={} (allowed: 1 or more)", word, degree));
    }
  }
  for (const auto& [word, degree] : {std::pair{"tp", s.tensor_parallel},
                                     {"pp", s.pipeline_parallel},
                                     {"dp", s.data_parallel},
                                     {"cp", s.context_parallel}}) {
    if (scenario.num_gpus % degree != 0) {
      return reject(RejectReason::kDegrees,
                    fmt::format("{} GPUs are not divisible by {} {}", scenario.num_gpus, word, degree));
    }
  }
  // As a real number: degrees of a user's choosing may overflow 64 bits.
  const double ranks =
      static_cast<double>(s.tensor_parallel) * s.pipeline_parallel * s.data_parallel * s.context_parallel;
  const auto gpus = static_cast<double>(scenario.num_gpus);
  if (ranks != gpus) {
    return reject(
        RejectReason::kDegrees,
        fmt::format("tp {} x pp {} x dp {}{} = {:.0f} ranks {} {} GPUs", s.tensor_parallel,
                    s.pipeline_parallel, s.data_parallel,
                    s.context_parallel > 1 ? fmt::format(" x cp {}", s.context_parallel) : "", ranks,
                    ranks > gpus ? "exceed the" : "leave idle some of the", scenario.num_gpus));
  }
  return std::nullopt;
}

Found find_batch_problem(const Scenario& scenario, const Strategy& s) {
  if (s.microbatch_size < 1) {
    return reject(RejectReason::kBatch, fmt::format("microbatch={} (allowed: 1 or more)", s.microbatch_size));
  }
  const std::int64_t dp = s.data_parallel;
  if (scenario.global_batch % dp != 0 || scenario.global_batch / dp % s.microbatch_size != 0) {
    return reject(RejectReason::kBatch,
                  fmt::format("global batch {} is not divisible by dp {} x microbatch {}",
                              scenario.global_batch, dp, s.microbatch_size));
  }
  const std::int64_t microbatches = scenario.global_batch / dp / s.microbatch_size;
  if (s.schedule == ScheduleKind::kInterleaved && microbatches % s.pipeline_parallel != 0) {
    return reject(RejectReason::kBatch,
                  fmt::format("{} microbatches are not a multiple of pp {} (schedule interleaved)",
                              microbatches, s.pipeline_parallel));
  }
  return std::nullopt;
}

}  // namespace portolan
