#pragma once

#include <string>

#include "study/sweep_table.h"

namespace portolan {

/// A sweep's table for machines: rows[], each an object of its columns, with the varied keys' values as texts
/// in `keys`. What is not known is null.
std::string sweep_json(const SweepTable& table);

}  // namespace portolan
