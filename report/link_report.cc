#include "report/link_report.h"

#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "report/table.h"

namespace portolan {

namespace {

std::string constant_text(const LinkConstant& constant, double value) {
  return constant.figure.ends_with(".efficiency") ? fmt::format("{:.3f}", value)
                                                  : fmt::format("{:.2f} us", value * 1e6);
}

std::string remark_on(const LinkConstant& constant) {
  const bool is_in_base = constant.figure == "intra_node_step" && constant.num_rows > 1;
  return !constant.is_set ? is_in_base ? "stays: not told from the base" : "stays: too few rows tell of it"
         : constant.is_at_limit ? "at its limit: is the bandwidth too low?"
                                : "";
}

}  // namespace

std::string link_fit_table(const LinkFit& fit, std::size_t width) {
  std::vector<std::vector<std::string>> constants, collectives;
  for (const LinkConstant& constant : fit.constants) {
    constants.push_back({constant.figure, constant_text(constant, constant.before),
                         constant_text(constant, constant.value), fmt::format("{}", constant.num_rows),
                         remark_on(constant)});
  }
  const auto add = [&](std::string name, std::string ranks, std::string nodes, std::int64_t rows,
                       const FitError& fitted, const FitError& held_back) {
    collectives.push_back({std::move(name), std::move(ranks), std::move(nodes), fmt::format("{}", rows),
                           fmt::format("{:.1f}", fitted.mean_pct), fmt::format("{:.1f}", held_back.mean_pct),
                           fmt::format("{:.1f}", held_back.p90_pct)});
  };
  for (const CollectiveFitError& one : fit.collectives) {
    add(std::string(collective_name(one.kind)), fmt::format("{}", one.num_ranks),
        fmt::format("{}", one.num_nodes), one.num_rows, one.fitted, one.held_back);
  }
  add("all", "", "", fit.num_rows, fit.fitted, fit.held_back);
  std::string text = render_table({{"constant", Column::Align::kLeft},
                                   {"before"},
                                   {"fitted"},
                                   {"rows"},
                                   {"", Column::Align::kLeft, true}},
                                  constants, width) +
                     "\n" +
                     render_table({{"collective", Column::Align::kLeft},
                                   {"ranks"},
                                   {"nodes"},
                                   {"rows"},
                                   {"error %, mean"},
                                   {"held back"},
                                   {"90 %"}},
                                  collectives, width);
  if (!fit.points.empty()) {
    text +=
        fmt::format("\n{} collective_points: the measured times themselves, which go before the constants\n",
                    fit.points.size());
  }
  return text;
}

}  // namespace portolan
