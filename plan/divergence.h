#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plan/run_record.h"

namespace portolan {

/// Predicted against measured. divergence_pct = 100 (predicted - measured) / measured: positive when the
/// prediction is too slow.
struct StepDivergence {
  Seconds predicted;
  Seconds measured;  ///< median step
  std::optional<double> divergence_pct;
  double noise_pct = 0;  ///< median absolute deviation of the steps over their median
};

struct MemoryDivergence {
  std::int32_t rank = 0;
  Bytes predicted;
  Bytes measured;
  std::optional<double> divergence_pct;
};

struct KindDivergence {
  std::string kind;
  Seconds predicted;
  Seconds measured;
  std::optional<double> divergence_pct;  ///< none where nothing was measured
};

struct Divergence {
  StepDivergence step;
  std::vector<MemoryDivergence> memory;
  std::vector<KindDivergence> by_kind;
  bool valid = false;
  std::string invalid_reason;
};

/// Reads nothing but the record: its prediction was made before its run.
Divergence divergence_of(const RunRecord& record);

}  // namespace portolan
