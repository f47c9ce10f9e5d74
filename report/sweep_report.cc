#include "report/sweep_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/parse_quantity.h"
#include "report/run_forecast_report.h"
#include "report/table.h"

namespace portolan {

namespace {

/// A column of the table as people read it.
struct ShownColumn {
  const char* column;
  const char* header;
  std::string (*show)(double);
};

std::string days(double value) { return format_duration(Seconds(86400 * value)); }
std::string whole(double value) { return fmt::format("{:.0f}", value); }
std::string seconds(double value) { return format_seconds(Seconds(value)); }
std::string percentage(double value) { return fmt::format("{:.1f}%", value); }
std::string gibibytes(double value) { return fmt::format("{:.1f} GiB", value / static_cast<double>(kGibi)); }

constexpr ShownColumn kStep[] = {{"step_time_s", "step", &seconds},
                                 {"tokens_per_s", "tokens/s", &whole},
                                 {"mfu_pct", "MFU", &percentage},
                                 {"peak_memory_bytes", "memory", &gibibytes}};
constexpr ShownColumn kRun[] = {{"step_time_s", "step", &seconds},
                                {"mfu_pct", "MFU", &percentage},
                                {"run_days_p50", "time P50", &days},
                                {"run_days_p90", "P90", &days},
                                {"run_cost_p50", "cost P50", &whole}};

std::size_t column_of(const SweepTable& table, std::string_view name) {
  return static_cast<std::size_t>(std::find(table.columns.begin(), table.columns.end(), name) -
                                  table.columns.begin());
}

/// A key as wide as a table has room for: its last step.
std::string last_step(const std::string& key) { return key.substr(key.rfind('.') + 1); }

}  // namespace

std::string sweep_report(const SweepTable& table, std::size_t width) {
  const bool has_run = column_of(table, "run_days_p50") < table.columns.size();
  std::vector<ShownColumn> shown;
  for (const ShownColumn& column : has_run ? std::vector<ShownColumn>(std::begin(kRun), std::end(kRun))
                                           : std::vector<ShownColumn>(std::begin(kStep), std::end(kStep))) {
    // A column that no point knows, such as money without a price, takes no room.
    const std::size_t at = column_of(table, column.column);
    if (std::any_of(table.rows.begin(), table.rows.end(),
                    [&](const auto& row) { return !row[at].empty(); })) {
      shown.push_back(column);
    }
  }
  std::vector<Column> columns;
  for (std::size_t k = 0; k < table.num_keys; ++k) {
    columns.push_back({.header = last_step(table.columns[k])});
  }
  for (const ShownColumn& column : shown) {
    columns.push_back({.header = column.header});
  }
  columns.push_back({.header = "strategy", .align = Column::Align::kLeft, .wraps = true});
  std::vector<std::vector<std::string>> rows;
  for (const std::vector<std::string>& fields : table.rows) {
    std::vector<std::string> row(fields.begin(),
                                 fields.begin() + static_cast<std::ptrdiff_t>(table.num_keys));
    for (const ShownColumn& column : shown) {
      const Result<double> number = parse_number(fields[column_of(table, column.column)]);
      row.push_back(number ? column.show(*number) : "-");
    }
    const std::string& reason = fields[column_of(table, "reason")];
    row.push_back(reason.empty() ? fields[column_of(table, "strategy_name")] : reason);
    rows.push_back(std::move(row));
  }
  return render_table(columns, rows, width);
}

}  // namespace portolan
