#include "catalog/measured/csv_table.h"

#include <csv.h>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/parse_quantity.h"
#include "catalog/document/node.h"
#include "catalog/document/text_check.h"

namespace portolan {

namespace {

constexpr std::size_t kMaxTableBytes = std::size_t{64} << 20U;

/// What libcsv's callbacks fill.
struct Collected {
  std::vector<CsvTable::Row> rows;
  CsvTable::Row row;
  std::int64_t line = 1;  ///< that is being read
};

void end_field(void* field, std::size_t size, void* data) {
  auto& collected = *static_cast<Collected*>(data);
  if (collected.row.fields.empty()) {
    collected.row.line = collected.line;
  }
  collected.row.fields.emplace_back(static_cast<const char*>(field), size);
}

void end_row(int /*ended_by*/, void* data) {
  auto& collected = *static_cast<Collected*>(data);
  collected.rows.push_back(std::move(collected.row));
  collected.row = {};
}

class Parser {
 public:
  Parser() { csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI); }
  ~Parser() { csv_free(&parser_); }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  bool read(std::string_view line, Collected& collected) {
    return csv_parse(&parser_, line.data(), line.size(), end_field, end_row, &collected) == line.size();
  }
  bool end(Collected& collected) { return csv_fini(&parser_, end_field, end_row, &collected) == 0; }

 private:
  csv_parser parser_{};
};

}  // namespace

Result<CsvTable> CsvTable::parse(std::string_view text, const std::string& file) {
  if (text.size() > kMaxTableBytes) {
    return bad_input(fmt::format("{}: {} bytes (allowed: {})", file, text.size(), kMaxTableBytes));
  }
  PORTOLAN_CHECK_OK(check_is_text(text, file));
  Collected collected;
  Parser parser;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    if (!parser.read(text.substr(0, end), collected)) {
      return bad_input(
          fmt::format("{}:{}: a quote in the wrong place (a field with quotes is put in quotes, "
                      "each of its own doubled)",
                      file, collected.line));
    }
    text.remove_prefix(end);
    ++collected.line;
  }
  if (!parser.end(collected)) {
    return bad_input(fmt::format("{}: ends inside a field in quotes", file));
  }
  CsvTable table;
  table.file_ = file;
  if (collected.rows.empty()) {
    return bad_input(fmt::format("{}: is empty (a first line with the columns' names is needed)", file));
  }
  table.columns_ = std::move(collected.rows.front().fields);
  for (std::size_t i = 0; i < table.columns_.size(); ++i) {
    const std::string& name = table.columns_[i];
    if (name.empty() || std::count(table.columns_.begin(), table.columns_.end(), name) > 1) {
      return bad_input(fmt::format("{}:{}: column {}: \"{}\" {}", file, collected.rows.front().line, i + 1,
                                   printable(name), name.empty() ? "is no name" : "is there twice"));
    }
  }
  table.rows_.assign(std::make_move_iterator(collected.rows.begin() + 1),
                     std::make_move_iterator(collected.rows.end()));
  for (const Row& row : table.rows_) {
    if (row.fields.size() != table.columns_.size()) {
      return bad_input(fmt::format("{}:{}: {} fields (the header has {})", file, row.line, row.fields.size(),
                                   table.columns_.size()));
    }
  }
  return table;
}

std::optional<std::size_t> CsvTable::find_column(std::string_view name) const {
  const auto found = std::find(columns_.begin(), columns_.end(), name);
  return found == columns_.end() ? std::nullopt
                                 : std::optional(static_cast<std::size_t>(found - columns_.begin()));
}

std::string CsvFields::text(std::string_view column) const {
  const auto index = table_.find_column(column);
  return index ? row_.fields[*index] : "";
}

Error CsvFields::refused(std::string_view column, std::string_view message) const {
  return bad_input(fmt::format("{}:{}: {}: \"{}\" {}", table_.file(), row_.line, column,
                               printable(text(column)), message));
}

Result<std::optional<double>> CsvFields::number(std::string_view column, double least, double most) const {
  const std::string field = text(column);
  if (field.empty()) {
    return std::optional<double>();
  }
  const Result<double> value = parse_number(field);
  if (!value || *value < least || *value > most) {
    return refused(column, fmt::format("is not a number (allowed: {} to {}, or nothing)", least, most));
  }
  return std::optional(*value);
}

Result<std::optional<std::int64_t>> CsvFields::whole(std::string_view column, std::int64_t least,
                                                     std::int64_t most) const {
  const std::string field = text(column);
  if (field.empty()) {
    return std::optional<std::int64_t>();
  }
  const Result<std::int64_t> value = parse_integer(field);
  if (!value || *value < least || *value > most) {
    return refused(column, fmt::format("is not a whole number (allowed: {} to {}, or nothing)", least, most));
  }
  return std::optional(*value);
}

}  // namespace portolan
