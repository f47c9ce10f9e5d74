#include "cli/sweep_json.h"

#include "base/parse_quantity.h"
#include "catalog/json/json_value.h"

namespace portolan {

namespace {

JsonValue field_json(const std::string& column, const std::string& text) {
  if (text.empty()) {
    return {};
  }
  if (column == "feasible") {
    return text == "true";
  }
  if (column == "reason" || column == "strategy_name" || column == "point_hash") {
    return text;
  }
  if (const Result<std::int64_t> whole = parse_integer(text)) {
    return *whole;
  }
  const Result<double> number = parse_number(text);
  return number ? JsonValue(*number) : JsonValue(text);
}

}  // namespace

std::string sweep_json(const SweepTable& table) {
  JsonValue rows = JsonValue::array();
  for (const std::vector<std::string>& fields : table.rows) {
    JsonValue keys = JsonValue::object();
    for (std::size_t k = 0; k < table.num_keys; ++k) {
      keys.set(table.columns[k], fields[k]);
    }
    JsonValue row = JsonValue::object().set("keys", std::move(keys));
    for (std::size_t c = table.num_keys; c < table.columns.size(); ++c) {
      row.set(table.columns[c], field_json(table.columns[c], fields[c]));
    }
    rows.append(std::move(row));
  }
  std::string text = write_json(JsonValue::object().set("rows", std::move(rows)));
  text.pop_back();  // the newline
  return text;
}

}  // namespace portolan
