#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace portolan {

enum class PlotKind : std::uint8_t {
  kLines,  ///< points joined by lines
  kBars,   ///< a group of bars for each category, one bar a series
};

struct PlotPoint {
  double x = 0;  ///< of bars the number of the category, from 0
  double y = 0;
  std::optional<std::pair<double, double>> interval = {};  ///< lowest and highest y, drawn as an error bar
};

struct PlotSeries {
  std::string title;  ///< in the legend
  std::vector<PlotPoint> points;
};

/// What a plot shows. Linear axes of y begin at 0. Precondition: with logarithmic axes all values are above
/// 0.
struct Plot {
  std::string title;
  std::string x_label;
  std::string y_label;
  PlotKind kind = PlotKind::kLines;
  bool log_x = false;
  bool log_y = false;
  std::vector<std::string> categories = {};  ///< of bars
  std::vector<PlotSeries> series = {};
};

/// Commands that make gnuplot write the plot as SVG on its standard output. Texts are shown as they are.
std::string gnuplot_script(const Plot& plot);

/// Found before the work: gnuplot is there. Error as of draw_plot.
Result<void> check_can_draw();

/// Draws the plot into an SVG file by gnuplot, a program of its own (Debian: gnuplot-nox). Errors: kDevice
/// where gnuplot is not there or fails, kBadInput where the file cannot be written.
Result<void> draw_plot(const Plot& plot, const std::filesystem::path& file);

}  // namespace portolan
