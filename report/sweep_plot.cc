#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/parse_quantity.h"
#include "report/sweep_report.h"

namespace portolan {

namespace {

constexpr double kLogarithmicX = 8;  ///< largest over smallest value from which on an axis is logarithmic
constexpr double kLogarithmicY = 50;

/// What an axis of y says of a column, and where its bounds are.
struct PlottedColumn {
  std::string_view column;
  std::string_view label;
  double unit = 1;
  std::string_view low = "";
  std::string_view high = "";
};
constexpr PlottedColumn kPlotted[] = {
    {"step_time_s", "step time, s (bars: 90% interval)", 1, "step_time_low_s", "step_time_high_s"},
    {"tokens_per_s", "tokens/s"},
    {"mfu_pct", "MFU, %"},
    {"hfu_pct", "HFU, %"},
    {"peak_memory_bytes", "peak memory, GiB", static_cast<double>(kGibi)},
    {"energy_j", "energy of a step, MJ", 1e6},
    {"run_days_p50", "days of training (bars: to P90)", 1, "run_days_p50", "run_days_p90"},
    {"run_energy_mwh_p50", "energy, MWh (bars: to P90)", 1, "run_energy_mwh_p50", "run_energy_mwh_p90"},
    {"run_cost_p50", "cost of training (bars: to P90)", 1, "run_cost_p50", "run_cost_p90"},
    {"run_goodput_pct", "goodput, %"}};

PlottedColumn plotted_column(const std::string& name) {
  for (const PlottedColumn& column : kPlotted) {
    if (column.column == name) {
      return column;
    }
  }
  return {.column = name, .label = name};
}

std::optional<std::size_t> find_column(const SweepTable& table, std::string_view name) {
  const auto found = std::find(table.columns.begin(), table.columns.end(), name);
  return found == table.columns.end()
             ? std::nullopt
             : std::optional(static_cast<std::size_t>(found - table.columns.begin()));
}

/// Different texts of a column, in the order of the rows.
std::vector<std::string> texts_of(const SweepTable& table, std::size_t column) {
  std::vector<std::string> texts;
  for (const std::vector<std::string>& row : table.rows) {
    if (std::find(texts.begin(), texts.end(), row[column]) == texts.end()) {
      texts.push_back(row[column]);
    }
  }
  return texts;
}

/// Numbers of one unit: "40 GiB" and "80 GiB".
struct Scale {
  std::string unit;
  std::map<std::string, double> value_of;
};
std::optional<Scale> find_scale(const std::vector<std::string>& texts) {
  Scale scale;
  for (const std::string& text : texts) {
    const std::size_t end = text.find_first_not_of("0123456789.+-eE");
    const std::size_t unit = end == std::string::npos ? end : text.find_first_not_of(' ', end);
    const Result<double> number = parse_number(text.substr(0, end));
    const std::string name = unit == std::string::npos ? "" : text.substr(unit);
    if (!number || (!scale.value_of.empty() && name != scale.unit)) {
      return std::nullopt;
    }
    scale.unit = name;
    scale.value_of[text] = *number;
  }
  return scale;
}

Result<std::size_t> find_x(const SweepTable& table, const std::optional<std::string>& asked) {
  for (std::size_t k = 0; k < table.num_keys; ++k) {
    if (asked ? table.columns[k] == *asked : texts_of(table, k).size() > 1) {
      return k;
    }
  }
  if (!asked) {
    return std::size_t{0};
  }
  std::string keys;
  for (std::size_t k = 0; k < table.num_keys; ++k) {
    keys += (k > 0 ? ", " : "") + table.columns[k];
  }
  return bad_input(fmt::format("--x: \"{}\" is not varied (allowed: {})", *asked, keys));
}

std::string default_y(const SweepTable& table) {
  return find_column(table, "run_days_p50") ? "run_days_p50" : "tokens_per_s";
}

/// The row's values of all keys but that of x.
std::string series_of(const SweepTable& table, const std::vector<std::string>& row, std::size_t x) {
  std::string text;
  for (std::size_t k = 0; k < table.num_keys; ++k) {
    if (k != x && texts_of(table, k).size() > 1) {
      text += fmt::format("{}{}={}", text.empty() ? "" : ", ", table.columns[k], row[k]);
    }
  }
  return text;
}

std::optional<double> number_in(const SweepTable& table, const std::vector<std::string>& row,
                                std::string_view column) {
  const std::optional<std::size_t> at = find_column(table, column);
  const Result<double> number = at ? parse_number(row[*at]) : Result<double>(bad_input(""));
  return number ? std::optional(*number) : std::nullopt;
}

/// Largest over smallest; 1 where a value is not above 0.
template <typename Value>
double span_of(const Plot& plot, Value&& value) {
  double least = HUGE_VAL;
  double most = 0;
  for (const PlotSeries& series : plot.series) {
    for (const PlotPoint& point : series.points) {
      least = std::min(least, value(point));
      most = std::max(most, value(point));
    }
  }
  return least > 0 ? most / least : 1;
}

}  // namespace

Result<void> check_axes(const SweepTable& table, const SweepAxes& axes) {
  PORTOLAN_CHECK_OK(find_x(table, axes.x));
  if (axes.y && !find_column(table, *axes.y)) {
    std::string columns;
    for (std::size_t c = table.num_keys; c < table.columns.size(); ++c) {
      columns += (columns.empty() ? "" : ", ") + table.columns[c];
    }
    return bad_input(fmt::format("--y: \"{}\" is no column of this sweep (allowed: {})", *axes.y, columns));
  }
  return {};
}

Result<Plot> sweep_plot(const SweepTable& table, const SweepAxes& axes) {
  PORTOLAN_CHECK_OK(check_axes(table, axes));
  PORTOLAN_TRY(const std::size_t x, find_x(table, axes.x));
  const std::string y = axes.y.value_or(default_y(table));
  const PlottedColumn column = plotted_column(y);
  const std::vector<std::string> texts = texts_of(table, x);
  const std::optional<Scale> scale = find_scale(texts);
  Plot plot{.title = axes.title, .x_label = table.columns[x], .y_label = std::string(column.label)};
  if (scale) {
    plot.x_label += scale->unit.empty() ? "" : ", " + scale->unit;
  } else {
    plot.kind = PlotKind::kBars;
    plot.categories = texts;
  }
  for (const std::vector<std::string>& row : table.rows) {
    const std::optional<double> value = number_in(table, row, y);
    if (!value) {
      continue;
    }
    const std::string title = series_of(table, row, x);
    auto series = std::find_if(plot.series.begin(), plot.series.end(),
                               [&](const PlotSeries& each) { return each.title == title; });
    if (series == plot.series.end()) {
      series = plot.series.insert(plot.series.end(), {.title = title, .points = {}});
    }
    PlotPoint point{
        .x = scale ? scale->value_of.at(row[x])
                   : static_cast<double>(std::find(texts.begin(), texts.end(), row[x]) - texts.begin()),
        .y = *value / column.unit};
    const std::optional<double> low = number_in(table, row, column.low);
    const std::optional<double> high = number_in(table, row, column.high);
    if (low && high) {
      point.interval = {*low / column.unit, *high / column.unit};
    }
    series->points.push_back(point);
  }
  if (plot.series.empty()) {
    return bad_input(
        fmt::format("--y: \"{}\" has no numbers to draw (allowed: another column of the table)", y));
  }
  for (PlotSeries& series : plot.series) {
    std::stable_sort(series.points.begin(), series.points.end(),
                     [](const PlotPoint& a, const PlotPoint& b) { return a.x < b.x; });
  }
  plot.log_x = scale && span_of(plot, [](const PlotPoint& p) { return p.x; }) >= kLogarithmicX;
  plot.log_y = span_of(plot, [](const PlotPoint& p) { return p.y; }) >= kLogarithmicY;
  return plot;
}

}  // namespace portolan
