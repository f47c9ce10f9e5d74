#pragma once

#include <cstddef>
#include <string>

#include "study/link_fit.h"

namespace portolan {

/// Constants of links before and after, and how well they predict each measured collective.
std::string link_fit_table(const LinkFit& fit, std::size_t width);

}  // namespace portolan
