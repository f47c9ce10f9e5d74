#pragma once

#include <cstdint>
#include <istream>
#include <string>

#include "base/result.h"
#include "catalog/measured/step_collector.h"
#include "plan/measured_log.h"

namespace portolan {

struct TrainingLogOptions {
  StepSize size;                         ///< of the plan's step
  std::int32_t rank_without_prefix = 0;  ///< whose a line's memory is that names no rank
};

/// Reads the log of a training run, whatever framework wrote it (docs/compare.md): of the formats of which it
/// has steps, the one that states times itself comes first (Megatron-LM, NeMo, then DeepSpeed and torchtitan,
/// which state rates). Holds steps, never lines. `file` is for messages. Errors (kBadInput), one line:
/// nothing is recognised; every step has another global batch than the plan's.
Result<MeasuredLog> read_training_log(std::istream& stream, const std::string& file,
                                      const TrainingLogOptions& options);

}  // namespace portolan
