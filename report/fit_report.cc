#include "report/fit_report.h"

#include <fmt/format.h>

#include <vector>

#include "report/table.h"

namespace portolan {

std::string gemm_fit_table(const GemmFit& fit, std::int64_t num_others, std::size_t width) {
  std::vector<std::vector<std::string>> constants = {
      {"k_overhead", fmt::format("{:.1f}", fit.tiles.k_overhead.value), "elements of K"}};
  for (const GemmTile& tile : fit.tiles.sizes) {
    constants.push_back({fmt::format("tile {} x {}", tile.m, tile.n), fmt::format("{:.3f}", tile.efficiency),
                         "of peak, full waves"});
  }
  const auto errors = [](const char* what, const FitError& error) {
    return std::vector<std::string>{what, fmt::format("{:.1f}", error.mean_pct),
                                    fmt::format("{:.1f}", error.median_pct),
                                    fmt::format("{:.1f}", error.p90_pct)};
  };
  return fmt::format("{} products of {} shapes (n, k) used; {} below 1 GFLOP and {} other rows left out\n\n",
                     fit.num_rows, fit.num_shapes, fit.num_small, num_others) +
         render_table({{"constant", Column::Align::kLeft}, {"value"}, {"", Column::Align::kLeft}}, constants,
                      width) +
         "\n" +
         render_table(
             {{"absolute error of time, %", Column::Align::kLeft}, {"mean"}, {"median"}, {"90 %"}},
             {errors("rows that were used", fit.fitted), errors("rows held back, by shape", fit.held_back),
              errors("one share of peak for all", fit.one_share)},
             width);
}

std::string attention_fit_table(const std::vector<AttentionFit>& fits, std::int64_t num_others,
                                std::size_t width) {
  std::vector<std::vector<std::string>> rows;
  for (const AttentionFit& fit : fits) {
    rows.push_back({fmt::format("{}", fit.constants.version), fmt::format("{}", fit.num_rows),
                    fmt::format("{:.3f}", fit.constants.efficiency.value),
                    fmt::format("{:.0f}", fit.constants.mask_overhead.value),
                    fmt::format("{:.1f}", fit.fitted.mean_pct), fmt::format("{:.1f}", fit.held_back.mean_pct),
                    fmt::format("{:.1f}", fit.held_back.p90_pct)});
  }
  return fmt::format("{} other rows left out\n\n", num_others) + render_table({{"version"},
                                                                               {"kernels"},
                                                                               {"efficiency"},
                                                                               {"mask_overhead"},
                                                                               {"error %, mean"},
                                                                               {"held back"},
                                                                               {"90 %"}},
                                                                              rows, width);
}

std::string step_fit_table(const StepConstant& constant, const StepFit& fit, std::size_t width) {
  std::vector<std::vector<std::string>> rows;
  for (const StepFitOfSource& source : fit.sources) {
    rows.push_back({source.source_family, fmt::format("{}", source.num_rows), constant.text(source.value),
                    fmt::format("{:.1f}", source.without_pct), fmt::format("{:.1f}", source.fitted_pct),
                    fmt::format("{:.1f}", source.crossed_pct)});
  }
  return render_table({{"source", Column::Align::kLeft},
                       {"steps"},
                       {constant.name},
                       {"error %, without"},
                       {"with its own"},
                       {"with the others'"}},
                      rows, width) +
         fmt::format("\n{}: {}, the mean of the sources\n", constant.name, constant.text(fit.value));
}

}  // namespace portolan
