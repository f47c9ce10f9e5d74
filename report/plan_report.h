#pragma once

#include <string>
#include <vector>

#include "plan/estimate.h"
#include "plan/finalist_odds.h"
#include "plan/prediction_error.h"
#include "plan/search.h"

namespace portolan {

/// The best `count` candidates as a table, each with what it loses to the first.
std::string ranking_table(const std::vector<Estimate>& ranking, std::size_t count, std::size_t width);

/// How many candidates there were, and why the others fell out.
std::string search_summary(const SearchResult& result);

/// What each field may be, how many values and which, and how many strategies that makes.
std::string space_table(const SearchSpace& space, std::size_t width);

/// Where the step time goes: one line a term of the breakdown, seconds and share.
std::string breakdown_table(const Estimate& estimate, std::size_t width);

/// Where nine of ten measured steps are expected, and why there: a line, or nothing without a margin.
std::string interval_line(const Estimate& estimate, const PredictionMargins& margins);

/// How likely the first of a ranking is the best and does not fit: a line, or nothing of no ranking.
std::string odds_line(const std::vector<FinalistOdds>& odds);

/// What is live at each stage's peak.
std::string memory_table(const Estimate& estimate, std::size_t width);

/// The terms in which `estimate` is slower than `winner`, largest first: "+1.20 s: bubble +0.90 s, exposed
/// data +0.30 s".
std::string loss_against(const Estimate& estimate, const Estimate& winner);

/// One candidate term by term against the winner.
std::string comparison_table(const Estimate& estimate, const Estimate& winner, std::size_t width);

}  // namespace portolan
