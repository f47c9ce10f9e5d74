#include "catalog/measured/memory_rows.h"

#include <fmt/format.h>

#include <cmath>

#include "catalog/measured/csv_table.h"
#include "catalog/measured/csv_words.h"

namespace portolan {

namespace {

constexpr double kMostPeak = 1e6;

/// Bytes of the unit that the words name; 0 where they name none. nvidia-smi shows MiB: its "GB" are
/// thousands of them, as no device of 80 GB (81,251 MiB) shows the 80 GiB that are published as 80 GB.
double bytes_of_unit(const std::vector<std::string>& words) {
  const bool counts_in_mib = has_any(words, {"smi"});
  if (has_any(words, {"gb"}) && counts_in_mib) {
    return 1000.0 * kMebi;
  }
  if (has_any(words, {"gib"})) {
    return kGibi;
  }
  if (has_any(words, {"mib"}) || (has_any(words, {"mb"}) && counts_in_mib)) {
    return kMebi;
  }
  return has_any(words, {"gb"}) ? 1e9 : has_any(words, {"mb"}) ? 1e6 : 0;
}

MemoryCounter counter_of(const std::vector<std::string>& words) {
  return has_any(words, {"allocated"})  ? MemoryCounter::kAllocated
         : has_any(words, {"reserved"}) ? MemoryCounter::kReserved
                                        : MemoryCounter::kDevice;
}

Result<MemoryRow> read_memory_row(const CsvTable& table, const CsvTable::Row& record) {
  const CsvFields fields(table, record);
  MemoryRow row;
  row.line = record.line;
  row.id = fields.text("id");
  if (row.id.empty()) {
    return fields.refused("id", "is empty");
  }
  const std::vector<std::string> kind = words_of(fields.text("kind"));
  row.is_measured = kind.empty() || kind.front() == "measured";
  if (!row.is_measured) {
    return row;
  }
  const std::vector<std::string> unit = words_of(fields.text("unit"));
  row.counter = counter_of(unit);
  row.out_of_memory = has_any(words_of(fields.text("mem_gb")), {"oom"});
  if (row.out_of_memory) {
    return row;
  }
  PORTOLAN_TRY(const std::optional<double> peak, fields.number("mem_gb", 1e-6, kMostPeak));
  const double scale = bytes_of_unit(unit);
  if (scale == 0) {
    return fields.refused("unit", "is not known (allowed: GB, GiB, MB, MiB)");
  }
  row.is_measured = peak.has_value();
  row.peak = Bytes(std::llround(peak.value_or(0) * scale));
  return row;
}

}  // namespace

Result<std::vector<MemoryRow>> read_memory_rows(std::string_view text, const std::string& file) {
  PORTOLAN_TRY(const CsvTable table, CsvTable::parse(text, file));
  for (const char* column : {"id", "mem_gb", "unit"}) {
    if (!table.find_column(column)) {
      return bad_input(fmt::format("{}: has no column {}", file, column));
    }
  }
  std::vector<MemoryRow> rows;
  for (const CsvTable::Row& record : table.rows()) {
    PORTOLAN_TRY(MemoryRow row, read_memory_row(table, record));
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace portolan
