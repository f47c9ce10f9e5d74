#pragma once

#include <string>
#include <vector>

#include "study/validation.h"

namespace portolan {

/// A line for each table of each source: rows, skipped, errors, noise floor.
std::string validation_groups_table(const Validation& validation, std::size_t width);
/// A line for each table whose predictions have intervals: how wide they are (median), how many of the
/// measurements they cover; the same with intervals that the source's own errors do not enter.
std::string validation_intervals_table(const Validation& validation, std::size_t width);
/// A line for each table with jobs of many configurations; empty where there is none.
std::string validation_rankings_table(const Validation& validation, std::size_t width);
/// A line for each predicted row, then what was skipped, by reason.
std::string validation_rows_table(const Validation& validation, std::size_t width);
/// Rows that were skipped, one line a reason.
std::string skipped_rows_list(const std::vector<SkippedPrediction>& skipped, std::size_t width);

}  // namespace portolan
