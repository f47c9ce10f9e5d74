#include "study/sweep_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/text_table.h"
#include "catalog/document/node.h"
#include "catalog/json/json_value.h"
#include "catalog/measured/csv_table.h"

namespace portolan {

namespace {

constexpr double kDaySeconds = 86400;
constexpr double kJoulesPerMwh = 3.6e9;
constexpr std::string_view kHashColumn = "point_hash";

constexpr std::array kStepColumns = {
    "feasible",          "reason",           "gpus",         "strategy_name", "step_time_s",
    "step_time_low_s",   "step_time_high_s", "tokens_per_s", "mfu_pct",       "hfu_pct",
    "peak_memory_bytes", "energy_j",         "cost"};
constexpr std::array kRunColumns = {"run_steps",
                                    "run_days_p50",
                                    "run_days_p90",
                                    "run_goodput_pct",
                                    "run_failures",
                                    "run_checkpoint_interval_s",
                                    "run_energy_mwh_p50",
                                    "run_energy_mwh_p90",
                                    "run_cost_p50",
                                    "run_cost_p90",
                                    "run_deadline_probability_pct"};

using Fields = std::map<std::string_view, std::string>;

void set_positive(Fields& fields, std::string_view column, double value) {
  if (value > 0) {
    fields[column] = shortest_number(value);
  }
}

void add_step(const Estimate& best, const PredictionMargins& margins, Fields& fields) {
  fields["strategy_name"] = short_name(best.strategy);
  fields["step_time_s"] = shortest_number(best.step_time.value);
  if (margins.step_time) {
    const ValueInterval interval = margins.step_time->around(best.step_time.value);
    fields["step_time_low_s"] = shortest_number(interval.low);
    fields["step_time_high_s"] = shortest_number(interval.high);
  }
  fields["tokens_per_s"] = shortest_number(best.tokens_per_s);
  fields["mfu_pct"] = shortest_number(best.mfu_pct);
  fields["hfu_pct"] = shortest_number(best.hfu_pct);
  fields["peak_memory_bytes"] = std::to_string(best.peak_memory.value);
  set_positive(fields, "energy_j", best.energy.value);
  set_positive(fields, "cost", best.cost);
}

void add_run(const RunForecast& run, Fields& fields) {
  const auto set_likely = [&](std::string_view p50, std::string_view p90, const std::optional<Likely>& likely,
                              double unit) {
    if (likely) {
      fields[p50] = shortest_number(likely->p50 / unit);
      fields[p90] = shortest_number(likely->p90 / unit);
    }
  };
  fields["run_steps"] = std::to_string(run.num_steps);
  set_likely("run_days_p50", "run_days_p90", run.time_s, kDaySeconds);
  fields["run_goodput_pct"] = shortest_number(run.goodput_pct);
  fields["run_failures"] = shortest_number(run.expected.num_failures);
  if (run.checkpoints) {
    fields["run_checkpoint_interval_s"] = shortest_number(run.checkpoints->interval.value);
  }
  set_likely("run_energy_mwh_p50", "run_energy_mwh_p90", run.energy_j, kJoulesPerMwh);
  set_likely("run_cost_p50", "run_cost_p90", run.cost, 1);
  if (run.deadline_probability_pct) {
    fields["run_deadline_probability_pct"] = shortest_number(*run.deadline_probability_pct);
  }
}

}  // namespace

SweepTable empty_table(const std::vector<VariedKey>& varied, const std::vector<SweepPoint>& points) {
  SweepTable table{.columns = {}, .rows = {}, .num_keys = varied.size()};
  for (const VariedKey& key : varied) {
    table.columns.push_back(key.key);
  }
  table.columns.insert(table.columns.end(), kStepColumns.begin(), kStepColumns.end());
  if (std::any_of(points.begin(), points.end(),
                  [](const SweepPoint& point) { return point.scenario.training_run.has_value(); })) {
    table.columns.insert(table.columns.end(), kRunColumns.begin(), kRunColumns.end());
  }
  table.columns.emplace_back(kHashColumn);
  return table;
}

std::vector<std::string> sweep_row(const SweepTable& table, const SweepPoint& point,
                                   const SweepAnswer& answer) {
  Fields fields;
  fields["feasible"] = answer.best ? "true" : "false";
  fields["reason"] = answer.reason;
  fields["gpus"] = std::to_string(point.scenario.num_gpus);
  if (answer.best) {
    add_step(*answer.best, answer.margins, fields);
  }
  if (answer.training_run) {
    add_run(*answer.training_run, fields);
  }
  fields[kHashColumn] = point.hash;
  std::vector<std::string> row = point.values;
  for (std::size_t c = table.num_keys; c < table.columns.size(); ++c) {
    row.push_back(fields[table.columns[c]]);
  }
  return row;
}

std::string write_sweep_table(const SweepTable& table) {
  return write_csv({.columns = table.columns, .rows = table.rows});
}

Result<std::vector<std::vector<std::string>>> read_finished_rows(const SweepTable& table,
                                                                 const std::vector<SweepPoint>& points,
                                                                 std::string_view text,
                                                                 const std::string& file) {
  constexpr std::string_view kAnew = "(allowed: --restart to begin anew, or another --out)";
  PORTOLAN_TRY(const CsvTable earlier, CsvTable::parse(text, file));
  if (earlier.columns() != table.columns) {
    return bad_input(fmt::format("{}:1: has other columns than this sweep {}", file, kAnew));
  }
  std::map<std::string, std::size_t> number_of;
  for (std::size_t i = 0; i < points.size(); ++i) {
    number_of[points[i].hash] = i;
  }
  std::vector<std::vector<std::string>> rows(points.size());
  for (const CsvTable::Row& row : earlier.rows()) {
    const auto found = number_of.find(row.fields.back());
    if (found == number_of.end()) {
      return bad_input(
          fmt::format("{}:{}: point_hash: \"{}\" is of other values, another scenario or another version {}",
                      file, row.line, printable(row.fields.back()), kAnew));
    }
    const std::vector<std::string>& values = points[found->second].values;
    if (!std::equal(values.begin(), values.end(), row.fields.begin())) {
      return bad_input(
          fmt::format("{}:{}: its values are not those of its point_hash {}", file, row.line, kAnew));
    }
    rows[found->second] = row.fields;
  }
  return rows;
}

}  // namespace portolan
