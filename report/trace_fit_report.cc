#include "report/trace_fit_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/parse_quantity.h"
#include "report/fit_report.h"
#include "report/link_report.h"
#include "report/table.h"

namespace portolan {

namespace {

constexpr std::size_t kMostLeftOut = 12;

std::string share_of(Seconds part, Seconds whole) {
  return whole.value > 0 ? fmt::format("{:.1f}", 100 * (part / whole)) : "0.0";
}

std::string share_table(const TracedRows& rows, std::size_t width) {
  std::vector<std::vector<std::string>> kinds, left_out;
  for (const TracedShare& share : rows.shares) {
    kinds.push_back({std::string(time_kind_name(share.kind)), fmt::format("{:.3f}", share.time.value * 1e3),
                     share_of(share.time, rows.time), share_of(share.used, rows.time)});
  }
  kinds.push_back(
      {"all", fmt::format("{:.3f}", rows.time.value * 1e3), "100.0", share_of(rows.used, rows.time)});
  std::string text = render_table(
      {{"kernels", Column::Align::kLeft}, {"ms"}, {"% of time"}, {"used, % of time"}}, kinds, width);
  for (std::size_t i = 0; i < std::min(rows.left_out.size(), kMostLeftOut); ++i) {
    const TracedLeftOut& one = rows.left_out[i];
    left_out.push_back(
        {one.what, fmt::format("{}", one.launches), share_of(one.time, rows.time), one.reason});
  }
  if (!left_out.empty()) {
    text += "\n" + render_table({{"left out", Column::Align::kLeft, true},
                                 {"kernels"},
                                 {"% of time"},
                                 {"why", Column::Align::kLeft, true}},
                                left_out, width);
  }
  if (rows.left_out.size() > kMostLeftOut) {
    text += fmt::format("and {} more\n", rows.left_out.size() - kMostLeftOut);
  }
  return text;
}

std::string scale_table(const ScaleFit& scale, std::size_t width) {
  const auto errors = [](const char* what, const FitError& error) {
    return std::vector<std::string>{what, fmt::format("{:.1f}", error.mean_pct),
                                    fmt::format("{:.1f}", error.median_pct),
                                    fmt::format("{:.1f}", error.p90_pct)};
  };
  return fmt::format("{} shapes of products: efficiencies of the hardware file times {:.3f}\n\n",
                     scale.num_rows, scale.factor) +
         render_table({{"absolute error of time, %", Column::Align::kLeft}, {"mean"}, {"median"}, {"90 %"}},
                      {errors("with the hardware file's", scale.before),
                       errors("with the factor", scale.fitted), errors("shapes held back", scale.held_back)},
                      width);
}

std::string attention_table(const std::vector<TracedAttentionFit>& fits, std::size_t width) {
  std::vector<std::vector<std::string>> rows;
  for (const TracedAttentionFit& fit : fits) {
    rows.push_back(
        {fmt::format("{}", fit.constants.version), fmt::format("{}", fit.num_rows),
         fmt::format("{:.3f}", fit.constants.efficiency.value),
         fmt::format("{:.0f}{}", fit.constants.mask_overhead.value, fit.mask_is_fitted ? "" : " kept"),
         fmt::format("{:.1f}", fit.fitted.mean_pct), fmt::format("{:.1f}", fit.held_back.mean_pct)});
  }
  return render_table(
      {{"flash attention"}, {"shapes"}, {"efficiency"}, {"mask_overhead"}, {"error %, mean"}, {"held back"}},
      rows, width);
}

std::string rate_table(const std::vector<KernelRate>& rates, std::size_t width) {
  std::vector<std::vector<std::string>> rows;
  for (const KernelRate& rate : rates) {
    rows.push_back({rate.kernel, fmt::format("{}", rate.elements), format_bytes_per_second(rate.rate)});
  }
  return render_table({{"kernel_rates", Column::Align::kLeft}, {"elements"}, {"rate"}}, rows, width);
}

}  // namespace

std::string trace_fit_table(const TracedRows& rows, const TraceFit& fit, std::size_t width) {
  std::string text = share_table(rows, width);
  if (fit.tiles) {
    text += "\n" + gemm_fit_table(*fit.tiles, 0, width);
  }
  if (fit.products) {
    text += "\n" + scale_table(*fit.products, width);
  }
  if (fit.weight_gradient_rate) {
    text += fmt::format("\nweight_gradient_rate: {:.3f}\n", *fit.weight_gradient_rate);
  }
  if (!fit.attention.empty()) {
    text += "\n" + attention_table(fit.attention, width);
  }
  if (!fit.kernel_rates.empty()) {
    text += "\n" + rate_table(fit.kernel_rates, width);
  }
  if (fit.links) {
    text += "\n" + link_fit_table(*fit.links, width);
  }
  for (const std::string& note : fit.notes) {
    text += "\nnot used: " + note + "\n";
  }
  return text;
}

}  // namespace portolan
