#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "plan/unvalidated.h"

namespace portolan {

/// One line for each figure that no measurement supports, with its source, cut to `width`; figures of a group
/// ("kernel.gelu_forward" is of "kernel") that are more than three share a line. Empty where there are none.
std::string unvalidated_list(const std::vector<UnvalidatedFigure>& figures, std::size_t width);

}  // namespace portolan
