#include "catalog/measured/collective_rows.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "base/parse_quantity.h"
#include "catalog/measured/csv_table.h"
#include "catalog/measured/nccl_test_kind.h"

namespace portolan {

namespace {

constexpr std::int64_t kMostBytes = 1'000'000'000'000'000;
constexpr double kMostMicroseconds = 1e12;
constexpr double kMostGigabytesPerSecond = 1e6;
constexpr std::int64_t kMostRanks = 1000000;

std::optional<CollectiveKind> kind_of_row(std::string_view name) {
  return name == "send_recv" ? CollectiveKind::kShift : find_collective(name);
}

/// Nothing where the field is no number; else within the range, or an error.
Result<std::optional<double>> number_if_any(const CsvFields& fields, std::string_view column, double least,
                                            double most) {
  return parse_number(fields.text(column)) ? fields.number(column, least, most)
                                           : Result<std::optional<double>>(std::nullopt);
}

/// By time, bus bandwidth or algorithm bandwidth.
Result<std::optional<Seconds>> time_of_row(const CsvFields& fields, const CollectiveRow& row) {
  PORTOLAN_TRY(const auto time, number_if_any(fields, "time_us", 1e-3, kMostMicroseconds));
  if (time) {
    return std::optional(Seconds(*time * 1e-6));
  }
  const auto size = static_cast<double>(row.size.value);
  PORTOLAN_TRY(const auto bus, number_if_any(fields, "busbw_GBps", 1e-6, kMostGigabytesPerSecond));
  if (bus) {
    return std::optional(Seconds(size * bus_factor(row.kind, row.num_ranks) / (*bus * 1e9)));
  }
  PORTOLAN_TRY(const auto algorithm, number_if_any(fields, "algbw_GBps", 1e-6, kMostGigabytesPerSecond));
  return algorithm ? std::optional(Seconds(size / (*algorithm * 1e9))) : std::nullopt;
}

/// Nothing: the row says too little.
Result<std::optional<CollectiveRow>> read_row(const CsvFields& fields, std::int64_t line) {
  const std::optional<CollectiveKind> kind = kind_of_row(fields.text("collective"));
  if (!kind) {
    return std::optional<CollectiveRow>();
  }
  PORTOLAN_TRY(const auto ranks, fields.whole("num_gpus", 2, kMostRanks));
  PORTOLAN_TRY(const auto nodes, fields.whole("nodes", 1, kMostRanks));
  if (!ranks || !parse_integer(fields.text("size_bytes"))) {
    return std::optional<CollectiveRow>();
  }
  PORTOLAN_TRY(const auto size, fields.whole("size_bytes", 1, kMostBytes));
  CollectiveRow row{.line = line,
                    .gpu = fields.text("gpu"),
                    .inter_link = fields.text("inter_link"),
                    .kind = *kind,
                    .num_ranks = *ranks,
                    .num_nodes = nodes.value_or(1),
                    .size = Bytes(*size),
                    .time = {}};
  if (row.num_ranks % row.num_nodes != 0) {
    return fields.refused("nodes", fmt::format("does not divide num_gpus {}", row.num_ranks));
  }
  PORTOLAN_TRY(const auto time, time_of_row(fields, row));
  if (!time) {
    return std::optional<CollectiveRow>();
  }
  row.time = *time;
  return std::optional(std::move(row));
}

}  // namespace

Result<CollectiveTable> read_collective_rows(std::string_view text, const std::string& file) {
  PORTOLAN_TRY(const CsvTable table, CsvTable::parse(text, file));
  for (const char* column : {"collective", "num_gpus", "size_bytes"}) {
    if (!table.find_column(column)) {
      return bad_input(fmt::format("{}: has no column {}", file, column));
    }
  }
  if (!table.find_column("time_us") && !table.find_column("busbw_GBps") && !table.find_column("algbw_GBps")) {
    return bad_input(fmt::format("{}: has no column time_us, busbw_GBps or algbw_GBps", file));
  }
  CollectiveTable collectives;
  for (const CsvTable::Row& record : table.rows()) {
    PORTOLAN_TRY(auto row, read_row(CsvFields(table, record), record.line));
    if (row) {
      collectives.rows.push_back(*std::move(row));
    } else {
      ++collectives.num_others;
    }
  }
  return collectives;
}

}  // namespace portolan
