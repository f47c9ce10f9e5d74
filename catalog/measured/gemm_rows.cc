#include "catalog/measured/gemm_rows.h"

#include <fmt/format.h>

#include <optional>

#include "catalog/measured/csv_table.h"
#include "catalog/measured/csv_words.h"

namespace portolan {

namespace {

constexpr std::int64_t kMostSize = std::int64_t{1} << 24;

/// Nothing where the row is no forward product with its sizes and its time.
Result<std::optional<GemmRow>> read_gemm_row(const CsvTable& table, const CsvTable::Row& record) {
  const CsvFields fields(table, record);
  const std::string op = fields.text("op"), direction = fields.text("direction");
  if ((!op.empty() && op != "gemm") || (!direction.empty() && direction != "fwd")) {
    return std::optional<GemmRow>();
  }
  PORTOLAN_TRY(const auto m, fields.whole("M", 1, kMostSize));
  PORTOLAN_TRY(const auto n, fields.whole("N", 1, kMostSize));
  PORTOLAN_TRY(const auto k, fields.whole("K", 1, kMostSize));
  PORTOLAN_TRY(const auto batch, fields.whole("batch", 1, kMostSize));
  PORTOLAN_TRY(const auto milliseconds, fields.number("time_ms", 1e-6, 1e9));
  PORTOLAN_TRY(const auto tera, fields.number("tflops", 1e-6, 1e9));
  if (!m || !n || !k || (!milliseconds && !tera)) {
    return std::optional<GemmRow>();
  }
  GemmRow row{.line = record.line,
              .gpu = fields.text("gpu"),
              .batch = batch.value_or(1),
              .m = *m,
              .n = *n,
              .k = *k,
              .time = {}};
  PORTOLAN_TRY(const std::optional<Precision> precision, precision_of(fields, "dtype"));
  row.precision = precision.value_or(row.precision);
  row.time = milliseconds ? Seconds(*milliseconds * 1e-3) : row.flops() / FlopsPerSecond(*tera * 1e12);
  return std::optional(row);
}

}  // namespace

Result<GemmTable> read_gemm_rows(std::string_view text, const std::string& file) {
  PORTOLAN_TRY(const CsvTable table, CsvTable::parse(text, file));
  for (const char* column : {"M", "N", "K"}) {
    if (!table.find_column(column)) {
      return bad_input(fmt::format("{}: has no column {}", file, column));
    }
  }
  if (!table.find_column("time_ms") && !table.find_column("tflops")) {
    return bad_input(fmt::format("{}: has no column time_ms and none tflops", file));
  }
  GemmTable products;
  for (const CsvTable::Row& record : table.rows()) {
    PORTOLAN_TRY(const std::optional<GemmRow> row, read_gemm_row(table, record));
    if (row) {
      products.rows.push_back(*row);
    } else {
      ++products.num_others;
    }
  }
  return products;
}

}  // namespace portolan
