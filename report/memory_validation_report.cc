#include "report/memory_validation_report.h"

#include <fmt/format.h>

#include <optional>
#include <vector>

#include "report/table.h"

namespace portolan {

namespace {

double gibibytes(double bytes) { return bytes / static_cast<double>(kGibi); }

std::string gib_text(Bytes bytes) {
  return fmt::format("{:.1f}", gibibytes(static_cast<double>(bytes.value)));
}

}  // namespace

std::string memory_groups_table(const MemoryValidation& validation, std::size_t width) {
  const std::vector<Column> columns = {{"memory", Column::Align::kLeft, true},
                                       {"table", Column::Align::kLeft},
                                       {"rows"},
                                       {"mean %"},
                                       {"median %"},
                                       {"max %"},
                                       {"bias %"},
                                       {"half width %"},
                                       {"covers %"},
                                       {"did not fit"},
                                       {"called feasible"}};
  std::vector<std::vector<std::string>> rows;
  for (const MemoryGroup& group : validation.groups) {
    rows.push_back({group.source_family, group.prefix, fmt::format("{}", group.rows),
                    percent_cell(group.errors.mape_pct), percent_cell(group.errors.median_pct),
                    percent_cell(group.errors.max_pct), signed_percent_cell(group.errors.bias_pct),
                    percent_cell(group.coverage.half_width_pct), percent_cell(group.coverage.covered_pct),
                    fmt::format("{}", group.did_not_fit),
                    fmt::format("{}", group.did_not_fit_but_called_feasible)});
  }
  return render_table(columns, rows, width);
}

std::string memory_rows_table(const MemoryValidation& validation, std::size_t width) {
  const std::vector<Column> columns = {{"row", Column::Align::kLeft},
                                       {"measured GiB"},
                                       {"predicted GiB"},
                                       {"error %"},
                                       {"90 % GiB"},
                                       {"fits at 95 %", Column::Align::kLeft},
                                       {"strategy", Column::Align::kLeft, true}};
  std::vector<std::vector<std::string>> rows;
  for (const MemoryPrediction& row : validation.rows) {
    const auto interval = row.interval(row.margin);
    rows.push_back(
        {row.id, row.measured ? gib_text(*row.measured) : "did not fit",
         row.is_range ? gib_text(row.predicted) + "-" + gib_text(row.largest) : gib_text(row.predicted),
         row.measured ? fmt::format("{:+.1f}", row.error_pct()) : "-",
         interval ? fmt::format("{:.1f}-{:.1f}", gibibytes(interval->low), gibibytes(interval->high)) : "-",
         row.fits(row.margin) ? "yes" : "no", row.strategy});
  }
  return render_table(columns, rows, width);
}

}  // namespace portolan
