#pragma once

#include <cstddef>
#include <string>

#include "study/memory_validation.h"

namespace portolan {

/// A line for each table of each source: peaks of memory predicted, errors, intervals, and of runs that did
/// not fit how many are called feasible.
std::string memory_groups_table(const MemoryValidation& validation, std::size_t width);
/// A line for each predicted peak.
std::string memory_rows_table(const MemoryValidation& validation, std::size_t width);

}  // namespace portolan
