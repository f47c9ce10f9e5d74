#include "report/validation_report.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <vector>

#include "report/table.h"

namespace portolan {

namespace {

std::string interval_text(const std::optional<ValueInterval>& interval) {
  return interval ? fmt::format("{:.4g}-{:.4g}", interval->low, interval->high) : "-";
}

std::string assumptions(const std::vector<Assumption>& assumed) {
  std::string text;
  for (const Assumption& one : assumed) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ", ", one.field, one.value);
  }
  return text;
}

}  // namespace

std::string validation_groups_table(const Validation& validation, std::size_t width) {
  const std::vector<Column> columns = {{"source", Column::Align::kLeft, true},
                                       {"table", Column::Align::kLeft},
                                       {"rows"},
                                       {"counted"},
                                       {"skipped"},
                                       {"mean %"},
                                       {"median %"},
                                       {"max %"},
                                       {"bias %"},
                                       {"noise %"}};
  std::vector<std::vector<std::string>> rows;
  for (const ValidationGroup& group : validation.groups) {
    rows.push_back({group.source_family, group.prefix, fmt::format("{}", group.rows),
                    fmt::format("{}", group.rows - group.ranges - group.apart),
                    fmt::format("{}", group.skipped), percent_cell(group.errors.mape_pct),
                    percent_cell(group.errors.median_pct), percent_cell(group.errors.max_pct),
                    signed_percent_cell(group.errors.bias_pct), percent_cell(group.noise_pct)});
  }
  return render_table(columns, rows, width);
}

std::string validation_intervals_table(const Validation& validation, std::size_t width) {
  const std::vector<Column> columns = {{"90 % intervals", Column::Align::kLeft, true},
                                       {"table", Column::Align::kLeft},
                                       {"half width %"},
                                       {"covers %"},
                                       {"new source: half width %"},
                                       {"covers %"}};
  std::vector<std::vector<std::string>> rows;
  for (const ValidationGroup& group : validation.groups) {
    if (group.coverage.covered_pct) {
      rows.push_back({group.source_family, group.prefix, percent_cell(group.coverage.half_width_pct),
                      percent_cell(group.coverage.covered_pct), percent_cell(group.new_source.half_width_pct),
                      percent_cell(group.new_source.covered_pct)});
    }
  }
  return rows.empty() ? "" : render_table(columns, rows, width);
}

std::string validation_rankings_table(const Validation& validation, std::size_t width) {
  const std::vector<Column> columns = {{"ranking", Column::Align::kLeft, true},
                                       {"table", Column::Align::kLeft},
                                       {"jobs"},
                                       {"configurations"},
                                       {"chosen is slower by %"},
                                       {"place of the best"},
                                       {"Spearman"}};
  std::vector<std::vector<std::string>> rows;
  for (const RankingGroup& group : validation.rankings) {
    rows.push_back({group.source_family, group.prefix, fmt::format("{}", group.jobs),
                    fmt::format("{}", group.configurations), fmt::format("{:.1f}", group.regret_pct),
                    fmt::format("{:.1f}", group.place_of_best), fmt::format("{:.2f}", group.spearman)});
  }
  return rows.empty() ? "" : render_table(columns, rows, width);
}

std::string validation_rows_table(const Validation& validation, std::size_t width) {
  const std::vector<Column> columns = {{"row", Column::Align::kLeft, true},
                                       {"measured s"},
                                       {"predicted s"},
                                       {"error %"},
                                       {"90 % s"},
                                       {"strategy", Column::Align::kLeft, true},
                                       {"assumed", Column::Align::kLeft, true}};
  std::vector<std::vector<std::string>> rows;
  for (const RowPrediction& row : validation.rows) {
    rows.push_back({row.id, fmt::format("{:.4g}", row.measured.value),
                    row.is_range ? fmt::format("{:.4g}-{:.4g}", row.predicted.value, row.slowest.value)
                                 : fmt::format("{:.4g}", row.predicted.value),
                    fmt::format("{:+.1f}", row.error_pct()), interval_text(row.interval(row.margin)),
                    row.strategy, assumptions(row.assumed)});
  }
  return render_table(columns, rows, width);
}

std::string skipped_rows_list(const std::vector<SkippedPrediction>& skipped_rows, std::size_t width) {
  std::map<std::pair<std::string, std::string>, std::int64_t> reasons;
  for (const SkippedPrediction& skipped : skipped_rows) {
    ++reasons[{skipped.prefix, skipped.reason}];
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& [key, count] : reasons) {
    rows.push_back({key.first, fmt::format("{}", count), key.second});
  }
  return rows.empty()
             ? ""
             : render_table(
                   {{"skipped", Column::Align::kLeft}, {"rows"}, {"reason", Column::Align::kLeft, true}},
                   rows, width);
}

}  // namespace portolan
