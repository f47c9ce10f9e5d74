#pragma once

#include <string>

#include "plan/placed_finalists.h"

namespace portolan {

/// What an order of nodes gains over the job's own, and which it is: two lines.
std::string placement_lines(const PlacedFinalists& placed);

}  // namespace portolan
