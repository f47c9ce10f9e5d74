#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "report/plot.h"
#include "study/sweep_table.h"

namespace portolan {

/// One row a point: its values, step, rate, memory and strategy, or why there is none; days and cost of a
/// whole run where the table has them.
std::string sweep_report(const SweepTable& table, std::size_t width);

struct SweepAxes {
  std::string title;
  std::optional<std::string> x;  ///< a varied key; else the first of several values
  std::optional<std::string> y;  ///< a column; else days of the run, or tokens a second
};
/// Found before the work: x is a varied key, y a column of the table, which may have no rows yet. Errors
/// (kBadInput) name the option.
Result<void> check_axes(const SweepTable& table, const SweepAxes& axes);

/// One column against one key, a series for each combination of the other keys: lines where all values of the
/// key are numbers of one unit, else bars. What the table has bounds of gets error bars. Axes whose values
/// span a factor of eight (x) or fifty (y) are logarithmic. Errors (kBadInput): those of check_axes, a column
/// of texts, nothing to draw.
Result<Plot> sweep_plot(const SweepTable& table, const SweepAxes& axes);

}  // namespace portolan
