#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "plan/estimate.h"
#include "plan/prediction_error.h"
#include "study/paper_cases.h"

namespace portolan {

/// What came of one row.
struct PaperRun {
  PaperCase row;
  std::string software;
  std::optional<Estimate> best;
  std::string reason;  ///< why there is none
  PredictionMargins margins;
};

/// Plans one scenario: the best strategy within its constraints. Errors: kInfeasible where nothing fits,
/// others end the study.
using PaperPlanner = std::function<Result<Estimate>(const Scenario&)>;

/// Runs the row: with SmallestDegree the first of its values that fits. `tier_base`: of kTiers, what tiers
/// keep to that do not plan (fix_tiers).
Result<PaperRun> run_paper_case(const PaperCase& row, const CatalogPaths& paths,
                                const PredictionErrors& errors, const std::optional<Strategy>& tier_base,
                                const PaperPlanner& planner);

/// All rows, in order, each read before the first is planned; `on_row(done)` before each. Rows of kTiers rest
/// on what kBaselines found for Megatron-LM of 2022 with its defaults; where nothing did they say so.
Result<std::vector<PaperRun>> run_paper(const PaperQuestion& question, const CatalogPaths& paths,
                                        const PredictionErrors& errors, const PaperPlanner& planner,
                                        const std::function<void(const PaperCase&, double share)>& on_row);

/// The fields of a strategy that its tiers decide, fixed as `base` has them for all tiers but those of
/// `planned` (bit n: tier n + 1). Tier 1, topology-aware parallelism: degrees, microbatch, sequence
/// parallelism, schedule, axis order. Tier 2, communication-efficient gradient aggregation: algorithm,
/// overlap, buckets, compression, ZeRO. Tier 3, memory-aware rematerialization: recomputation, offload.
StrategyConstraints fix_tiers(const Strategy& base, std::uint32_t planned);

}  // namespace portolan
