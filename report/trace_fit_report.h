#pragma once

#include <cstddef>
#include <string>

#include "catalog/measured/traced_rows.h"
#include "study/trace_fit.h"

namespace portolan {

/// What of a trace was used and what was left out, with shares of its kernels' time, and what was fitted.
std::string trace_fit_table(const TracedRows& rows, const TraceFit& fit, std::size_t width);

}  // namespace portolan
