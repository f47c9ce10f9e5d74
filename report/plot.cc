#include "report/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/file.h"
#include "report/gnuplot_process.h"

namespace portolan {

namespace {

constexpr std::size_t kMostTicks = 12;  ///< values of x that are marked one by one
constexpr std::size_t kLongTitle = 20;  ///< in the legend, from which on each has a line of its own
constexpr double kGroupWidth = 0.8;     ///< of a group of bars, of the distance between two

/// A text in gnuplot's single quotes, in which nothing is special but the quote; on one line.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out += c == '\'' ? std::string("''") : std::string(1, byte < 0x20 || byte == 0x7F ? ' ' : c);
  }
  return out + "'";
}

std::string axes(const Plot& plot) {
  std::string text = fmt::format("set title {}\nset xlabel {}\nset ylabel {}\n", quoted(plot.title),
                                 quoted(plot.x_label), quoted(plot.y_label));
  text += plot.log_x ? "set logscale x 2\n" : "";
  text += plot.log_y ? "set logscale y\n" : "set yrange [0:*]\n";
  return text;
}

std::string legend(const Plot& plot) {
  const bool is_long = std::any_of(plot.series.begin(), plot.series.end(),
                                   [](const PlotSeries& series) { return series.title.size() > kLongTitle; });
  return fmt::format("set key noenhanced outside below center {} spacing 1.2\n",
                     is_long ? "vertical maxcols 1" : "horizontal");
}

std::string ticks(const Plot& plot) {
  std::string list;
  if (plot.kind == PlotKind::kBars) {
    for (std::size_t i = 0; i < plot.categories.size(); ++i) {
      list += fmt::format("{}{} {}", i > 0 ? ", " : "", quoted(plot.categories[i]), i);
    }
    return fmt::format("set xtics ({})\nset xrange [-0.5:{}]\nset boxwidth {}\nset style fill solid 0.7\n",
                       list, static_cast<double>(plot.categories.size()) - 0.5,
                       kGroupWidth / static_cast<double>(plot.series.size()));
  }
  std::set<double> values;
  for (const PlotSeries& series : plot.series) {
    for (const PlotPoint& point : series.points) {
      values.insert(point.x);
    }
  }
  if (values.size() > kMostTicks) {
    return "";
  }
  for (const double value : values) {
    list += fmt::format("{}{}", list.empty() ? "" : ", ", value);
  }
  return fmt::format("set xtics ({})\nset offsets graph 0.04, graph 0.04, 0, 0\n", list);
}

/// One series as a block of data: x, y, lowest, highest.
std::string block(const Plot& plot, std::size_t number) {
  const double bar = kGroupWidth / static_cast<double>(plot.series.size());
  const double middle = (static_cast<double>(plot.series.size()) - 1) / 2;
  const double shift = plot.kind == PlotKind::kBars ? bar * (static_cast<double>(number) - middle) : 0;
  std::string text = fmt::format("$s{} << EOD\n", number);
  for (const PlotPoint& point : plot.series[number].points) {
    const auto interval = point.interval.value_or(std::pair(point.y, point.y));
    text += fmt::format("{} {} {} {}\n", point.x + shift, point.y, interval.first, interval.second);
  }
  return text + "EOD\n";
}

}  // namespace

std::string gnuplot_script(const Plot& plot) {
  std::string text =
      "set terminal svg noenhanced size 820,500 font 'Helvetica,14' background '#ffffff'\n"
      "set encoding utf8\nset grid\nset tics nomirror\nset border 3\n";
  text += axes(plot) + legend(plot) + ticks(plot);
  std::string drawn;
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    const PlotSeries& series = plot.series[i];
    text += block(plot, i);
    if (series.points.empty()) {
      continue;
    }
    const bool is_bar = plot.kind == PlotKind::kBars;
    drawn += fmt::format("{}$s{} using 1:2 with {} lt {} lw 2 pt 7 ps 0.6 title {}",
                         drawn.empty() ? "plot " : ", \\\n  ", i, is_bar ? "boxes" : "linespoints", i + 1,
                         quoted(series.title));
    const bool has_interval = std::any_of(series.points.begin(), series.points.end(),
                                          [](const PlotPoint& p) { return p.interval.has_value(); });
    if (has_interval) {
      drawn += fmt::format(
          ", \\\n  $s{} using 1:3:(0):($4-$3) with vectors heads size screen 0.006,90 {} lw 1 notitle", i,
          is_bar ? "lc rgb '#000000'" : fmt::format("lt {}", i + 1));
    }
  }
  return text + drawn + "\n";
}

Result<void> check_can_draw() {
  PORTOLAN_CHECK_OK(run_gnuplot("set print '-'\nprint GPVAL_VERSION\n"));
  return {};
}

Result<void> draw_plot(const Plot& plot, const std::filesystem::path& file) {
  PORTOLAN_TRY(const std::string svg, run_gnuplot(gnuplot_script(plot)));
  return write_file_atomically(file, svg);
}

}  // namespace portolan
