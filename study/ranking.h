#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace portolan {

/// One configuration of a job, measured and predicted.
struct RankedConfiguration {
  double measured = 0;
  double predicted = 0;
};

/// How well predictions order the configurations of one job: what a planner needs of them.
struct JobRanking {
  double regret_pct = 0;  ///< what the configuration with the best prediction takes longer than the best
  std::int64_t place_of_best = 0;  ///< of the one measured best, among predictions, from 1
  double spearman = 0;  ///< rank correlation, equal values with their mean rank; 0 where all are equal
};
/// Precondition: at least two configurations, all values above 0.
JobRanking ranking_of(const std::vector<RankedConfiguration>& configurations);

/// The jobs of one table of one source; medians over them.
struct RankingGroup {
  std::string source_family;
  std::string prefix;
  std::int64_t jobs = 0;
  std::int64_t configurations = 0;  ///< of all jobs
  double regret_pct = 0;
  double place_of_best = 0;
  double spearman = 0;
};

}  // namespace portolan
