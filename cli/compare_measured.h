#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "plan/costed_program.h"
#include "plan/divergence.h"
#include "plan/plan_file.h"

namespace portolan {

/// A plan and what another framework measured of it.
struct MeasuredComparison {
  const Plan& plan;
  Fidelity fidelity = Fidelity::kFolded;
  std::optional<std::int32_t> rank = {};  ///< whose the measurement is where that does not say
};

/// The divergence of the plan's prediction from a training log. Errors: those of read_training_log(),
/// predict() and divergence_from_log().
Result<Divergence> compare_with_log(const MeasuredComparison& comparison, const std::string& file);

/// ... from a trace of torch.profiler. `steps_without_marks`: how many it has where it does not mark them.
/// Errors: those of read_kineto_trace(), predict() and divergence_from_trace(); the closed form has no
/// timeline.
Result<Divergence> compare_with_trace(const MeasuredComparison& comparison, const std::string& file,
                                      std::int64_t steps_without_marks);

}  // namespace portolan
