#include "catalog/measured/attention_rows.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <sstream>
#include <utility>

#include "catalog/measured/csv_table.h"

namespace portolan {

namespace {

constexpr std::int64_t kMostTokens = std::int64_t{1} << 24;

std::optional<std::int64_t> version_of(std::string_view op) {
  for (const auto& [name, version] :
       {std::pair{"attention FA1", 1}, std::pair{"attention FATriton", 1}, std::pair{"attention FA2", 2}}) {
    if (op == name) {
      return version;
    }
  }
  return std::nullopt;
}

/// The value of `key` in "key=value key=value"; empty where it is not there.
std::string value_of(const std::string& shape, std::string_view key) {
  std::istringstream words(shape);
  for (std::string word; words >> word;) {
    if (word.starts_with(key) && word.size() > key.size() && word[key.size()] == '=') {
      return word.substr(key.size() + 1);
    }
  }
  return "";
}

Result<void> read_shape(const CsvFields& fields, AttentionRow& row) {
  const std::string shape = fields.text("shape");
  const std::string sequence = value_of(shape, "seq"), causal = value_of(shape, "causal");
  const char* end = sequence.data() + sequence.size();
  const auto parsed = std::from_chars(sequence.data(), end, row.sequence);
  if (parsed.ec != std::errc() || parsed.ptr != end || row.sequence < 1 || row.sequence > kMostTokens) {
    return fields.refused("shape", fmt::format("has no seq=N (allowed: 1 to {})", kMostTokens));
  }
  if (causal != "yes" && causal != "no") {
    return fields.refused("shape", "has no causal=yes or causal=no");
  }
  row.causal = causal == "yes";
  return {};
}

}  // namespace

Result<AttentionTable> read_attention_rows(std::string_view text, const std::string& file) {
  PORTOLAN_TRY(const CsvTable table, CsvTable::parse(text, file));
  for (const char* column : {"op", "shape", "tflops"}) {
    if (!table.find_column(column)) {
      return bad_input(fmt::format("{}: has no column {}", file, column));
    }
  }
  AttentionTable kernels;
  for (const CsvTable::Row& record : table.rows()) {
    const CsvFields fields(table, record);
    const std::optional<std::int64_t> version = version_of(fields.text("op"));
    if (!version) {
      ++kernels.num_others;
      continue;
    }
    PORTOLAN_TRY(const auto tera, fields.number("tflops", 1e-6, 1e9));
    if (!tera) {
      ++kernels.num_others;
      continue;
    }
    AttentionRow row{.line = record.line,
                     .gpu = fields.text("gpu"),
                     .version = *version,
                     .rate = FlopsPerSecond(*tera * 1e12)};
    PORTOLAN_CHECK_OK(read_shape(fields, row));
    kernels.rows.push_back(std::move(row));
  }
  return kernels;
}

}  // namespace portolan
