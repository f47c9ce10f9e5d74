#include "report/paper_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/parse_quantity.h"
#include "report/paper_tables.h"

namespace portolan {

namespace {

constexpr double kGib = static_cast<double>(kGibi);

std::vector<const PaperRun*> rows_of(const std::vector<PaperRun>& runs, PaperPart part,
                                     const std::string& model) {
  std::vector<const PaperRun*> rows;
  for (const PaperRun& run : runs) {
    if (run.best && run.row.part == part && run.row.model == model && run.row.device == "80 GB") {
      rows.push_back(&run);
    }
  }
  return rows;
}

/// The step, with where nine of ten are expected.
PlotPoint step_point(const PaperRun& run, double x) {
  PlotPoint point{.x = x, .y = run.best->step_time.value};
  if (run.margins.step_time) {
    const ValueInterval interval = run.margins.step_time->around(point.y);
    point.interval = {interval.low, interval.high};
  }
  return point;
}

std::size_t index_of(std::vector<std::string>& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    names.push_back(name);
    return names.size() - 1;
  }
  return static_cast<std::size_t>(found - names.begin());
}

/// For a legend or an axis with room for little: "Megatron '21", "ZeRO-3".
std::string short_title(const PaperCase& row) {
  std::string title = planner_title(row);
  for (const auto& [word, instead] : {std::pair("-LM 20", " '"), std::pair("DeepSpeed ", ""),
                                      std::pair("FairScale ", ""), std::pair("OSS + ", "")}) {
    if (const std::size_t at = title.find(word); at != std::string::npos) {
      title.replace(at, std::string_view(word).size(), instead);
    }
  }
  return title;
}

Plot baselines_plot(const std::vector<PaperRun>& runs, const std::string& model) {
  Plot plot{.title = model + " on 512 A100 80 GB: who plans",
            .x_label = "",
            .y_label = "step, s",
            .kind = PlotKind::kBars,
            .series = {{"documented defaults", {}}, {"best legal settings", {}}, {"Portolan", {}}}};
  for (const PaperRun* run : rows_of(runs, PaperPart::kBaselines, model)) {
    if (run->row.planner == "portolan-lossy") {
      continue;
    }
    const auto x = static_cast<double>(index_of(plot.categories, short_title(run->row)));
    plot.series[static_cast<std::size_t>(run->row.settings)].points.push_back(step_point(*run, x));
  }
  return plot;
}

/// The one with the least step: the smallest reduction.
const PaperGain* hardest(const std::vector<PaperGain>& gains, const std::string& model,
                         PaperSettings settings) {
  const PaperGain* least = nullptr;
  for (const PaperGain& gain : gains) {
    const PaperCase& row = gain.theirs->row;
    if (row.model == model && row.device == "80 GB" && row.settings == settings &&
        (least == nullptr || gain.time.pct < least->time.pct)) {
      least = &gain;
    }
  }
  return least;
}

Plot reductions_plot(const PaperQuestion& question, const std::vector<PaperGain>& gains) {
  Plot plot{.title = "Portolan's plan against the fastest baseline, step times",
            .x_label = "",
            .y_label = "step of Portolan's plan / step of the baseline",
            .kind = PlotKind::kBars,
            .series = {{"of documented defaults", {}}, {"of best legal settings", {}}}};
  for (std::size_t i = 0; i < question.models.size(); ++i) {
    plot.categories.push_back(question.models[i]);
    for (const PaperSettings settings : {PaperSettings::kDefaults, PaperSettings::kBest}) {
      if (const PaperGain* gain = hardest(gains, question.models[i], settings)) {
        PlotPoint point{.x = static_cast<double>(i), .y = 1 - gain->time.pct / 100};
        if (const auto& interval = gain->time.interval) {
          point.interval = {1 - interval->high / 100, 1 - interval->low / 100};
        }
        plot.series[static_cast<std::size_t>(settings)].points.push_back(point);
      }
    }
  }
  return plot;
}

double peak_gib(const PaperRun& run) { return static_cast<double>(run.best->peak_memory.value) / kGib; }

Plot budgets_plot(const std::vector<PaperRun>& runs, const std::string& model) {
  Plot plot{.title = model + ": steps against memory, best legal settings",
            .x_label = "peak of memory, GiB",
            .y_label = "step, s",
            .series = {{"Portolan", {}}}};
  std::vector<PlotPoint>& frontier = plot.series.front().points;
  for (const PaperRun* run : rows_of(runs, PaperPart::kBudgets, model)) {
    frontier.push_back({.x = peak_gib(*run), .y = run->best->step_time.value});
  }
  std::vector<PlotSeries> others;
  for (const PaperRun* run : rows_of(runs, PaperPart::kBaselines, model)) {
    const PlotPoint point{.x = peak_gib(*run), .y = run->best->step_time.value};
    if (run->row.planner == "portolan") {
      frontier.push_back(point);
    } else if (run->row.settings == PaperSettings::kBest) {
      others.push_back({short_title(run->row), {point}});
    }
  }
  std::sort(frontier.begin(), frontier.end(), [](const auto& a, const auto& b) { return a.x < b.x; });
  plot.series.insert(plot.series.end(), others.begin(), others.end());
  return plot;
}

Plot tiers_plot(const std::vector<PaperRun>& runs, const std::string& model) {
  Plot plot{.title = model + ": tiers that plan, the others as Megatron-LM 2022 is set up",
            .x_label = "1 parallelism, 2 sums of gradients, 3 rematerialization",
            .y_label = "step, s",
            .kind = PlotKind::kBars,
            .series = {{"step", {}}}};
  for (const PaperRun* run : rows_of(runs, PaperPart::kTiers, model)) {
    const auto x = static_cast<double>(index_of(plot.categories, run->row.variant));
    plot.series.front().points.push_back({.x = x, .y = run->best->step_time.value});
  }
  return plot;
}

Plot fabrics_plot(const std::vector<PaperRun>& runs, const std::string& model) {
  Plot plot{.title = model + ": network",
            .x_label = "Gbit/s of each network card",
            .y_label = "step, s",
            .log_x = true};
  std::vector<std::string> titles;
  for (const PaperRun* run : rows_of(runs, PaperPart::kFabrics, model)) {
    const std::string title =
        short_title(run->row) +
        (run->row.is_portolan() ? "" : fmt::format(", {}", paper_settings_name(run->row.settings)));
    const std::size_t series = index_of(titles, title);
    if (series == plot.series.size()) {
      plot.series.push_back({title, {}});
    }
    plot.series[series].points.push_back(
        {.x = std::strtod(run->row.variant.c_str(), nullptr), .y = run->best->step_time.value});
  }
  return plot;
}

}  // namespace

std::vector<PaperFigure> paper_figures(const PaperQuestion& question, const std::vector<PaperRun>& runs,
                                       const std::vector<PaperGain>& gains) {
  std::vector<PaperFigure> figures = {{"baselines.svg", baselines_plot(runs, question.central)},
                                      {"fastest.svg", reductions_plot(question, gains)},
                                      {"memory.svg", budgets_plot(runs, question.central)},
                                      {"tiers.svg", tiers_plot(runs, question.central)},
                                      {"fabrics.svg", fabrics_plot(runs, question.central)}};
  std::erase_if(figures, [](const PaperFigure& figure) {
    return std::all_of(figure.plot.series.begin(), figure.plot.series.end(),
                       [](const PlotSeries& series) { return series.points.empty(); });
  });
  return figures;
}

}  // namespace portolan
