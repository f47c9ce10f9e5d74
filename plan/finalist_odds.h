#pragma once

#include <vector>

#include "plan/estimate.h"
#include "plan/prediction_error.h"
#include "plan/scenario.h"

namespace portolan {

/// How far a ranking can be trusted.
struct FinalistOdds {
  double best = 0;           ///< probability that none of the others is better
  double out_of_memory = 0;  ///< that it needs more than its devices have

  bool operator==(const FinalistOdds&) const = default;
};

/// Of each of `ranking`, where what is measured lies about what is predicted by a normal distribution of its
/// logarithm of which the margins hold 90 %. Errors of candidates are taken as independent of each other: as
/// those of one software on one machine err alike in part, the first is the best more often than this says.
/// Without a margin of time the first is the best, without one of memory nothing runs out of it.
std::vector<FinalistOdds> finalist_odds(const Scenario& scenario, const std::vector<Estimate>& ranking,
                                        const PredictionMargins& margins);

}  // namespace portolan
