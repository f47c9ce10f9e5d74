#include "report/paper_tables.h"

#include <fmt/format.h>

#include <map>

#include "base/parse_quantity.h"
#include "catalog/json/json_value.h"

namespace portolan {

namespace {

std::string interval_text(const std::optional<ErrorMargin>& margin, double predicted, double unit) {
  if (!margin) {
    return "";
  }
  const ValueInterval interval = margin->around(predicted / unit);
  return fmt::format(" ({:.4g} to {:.4g})", interval.low, interval.high);
}

/// Low and high of what nine of ten measurements lie within; empty where that is not known.
void append_interval(const std::optional<ErrorMargin>& margin, double predicted,
                     std::vector<std::string>& fields) {
  if (!margin) {
    fields.insert(fields.end(), 2, "");
    return;
  }
  const ValueInterval interval = margin->around(predicted);
  fields.push_back(shortest_number(interval.low));
  fields.push_back(shortest_number(interval.high));
}

void append_reduction(const Reduction& reduction, std::vector<std::string>& fields) {
  fields.push_back(shortest_number(reduction.pct));
  fields.push_back(reduction.interval ? shortest_number(reduction.interval->low) : "");
  fields.push_back(reduction.interval ? shortest_number(reduction.interval->high) : "");
  fields.emplace_back(reduction.is_tie() ? "true" : "false");
}

void append_estimate(const PaperRun& run, std::vector<std::string>& fields) {
  const Estimate& best = *run.best;
  const auto peak = static_cast<double>(best.peak_memory.value);
  fields.push_back(short_name(best.strategy));
  fields.push_back(shortest_number(best.step_time.value));
  append_interval(run.margins.step_time, best.step_time.value, fields);
  fields.push_back(shortest_number(best.tokens_per_s));
  fields.push_back(shortest_number(best.mfu_pct));
  fields.push_back(std::to_string(best.peak_memory.value));
  append_interval(run.margins.memory, peak, fields);
  fields.push_back(best.energy.value > 0 ? shortest_number(best.energy.value) : "");
}

std::string settings_text(const PaperCase& row) {
  return row.is_portolan() ? "" : std::string(paper_settings_name(row.settings));
}

}  // namespace

std::string planner_title(const PaperCase& row) {
  static const std::map<std::string, std::string> kTitles = {{"megatron-2021", "Megatron-LM 2021"},
                                                             {"megatron-2022", "Megatron-LM 2022"},
                                                             {"deepspeed-zero1", "DeepSpeed ZeRO-1"},
                                                             {"deepspeed-zero2", "DeepSpeed ZeRO-2"},
                                                             {"deepspeed-zero3", "DeepSpeed ZeRO-3"},
                                                             {"deepspeed-3d", "DeepSpeed 3D"},
                                                             {"fairscale-sddp", "FairScale OSS + SDDP"},
                                                             {"fairscale-fsdp", "FairScale FSDP"},
                                                             {"portolan", "Portolan"},
                                                             {"portolan-lossy", "Portolan, lossy gradients"}};
  const auto title = kTitles.find(row.planner);
  return title == kTitles.end() ? row.planner : title->second;
}

TextTable paper_runs_table(const std::vector<PaperRun>& runs) {
  TextTable table{.columns = {"part", "model", "device", "variant", "planner", "settings", "software",
                              "feasible", "reason", "strategy_name", "step_time_s", "step_time_low_s",
                              "step_time_high_s", "tokens_per_s", "mfu_pct", "peak_memory_bytes",
                              "peak_memory_low_bytes", "peak_memory_high_bytes", "energy_j"},
                  .rows = {}};
  for (const PaperRun& run : runs) {
    std::vector<std::string> fields = {std::string(paper_part_name(run.row.part)),
                                       run.row.model,
                                       run.row.device,
                                       run.row.variant,
                                       run.row.planner,
                                       settings_text(run.row),
                                       run.software,
                                       run.best ? "true" : "false",
                                       run.reason};
    if (run.best) {
      append_estimate(run, fields);
    }
    fields.resize(table.columns.size());
    table.rows.push_back(std::move(fields));
  }
  return table;
}

TextTable paper_gains_table(const std::vector<PaperGain>& gains) {
  TextTable table{.columns = {"model", "device", "planner", "settings", "portolan_variant",
                              "time_reduction_pct", "time_reduction_low_pct", "time_reduction_high_pct",
                              "time_tie", "memory_reduction_pct", "memory_reduction_low_pct",
                              "memory_reduction_high_pct", "memory_tie", "reaches_time", "reaches_memory"},
                  .rows = {}};
  for (const PaperGain& gain : gains) {
    const PaperCase& row = gain.theirs->row;
    std::vector<std::string> fields = {row.model, row.device, row.planner, settings_text(row),
                                       gain.ours->row.variant};
    append_reduction(gain.time, fields);
    append_reduction(gain.memory, fields);
    fields.emplace_back(gain.reaches_time() ? "true" : "false");
    fields.emplace_back(gain.reaches_memory() ? "true" : "false");
    table.rows.push_back(std::move(fields));
  }
  return table;
}

TextTable shown_runs(const std::vector<PaperRun>& runs, PaperPart part, const std::string& model,
                     const std::string& device) {
  TextTable table{
      .columns = {"", "settings", "strategy", "step, s", "tokens/s", "MFU, %", "memory, GiB", "energy, MJ"},
      .rows = {}};
  const bool has_variants = part != PaperPart::kBaselines;
  for (const PaperRun& run : runs) {
    if (run.row.part != part || run.row.model != model || run.row.device != device) {
      continue;
    }
    const std::string title = (has_variants ? run.row.variant + ": " : "") + planner_title(run.row);
    if (!run.best) {
      table.rows.push_back({title, settings_text(run.row), "does not fit", "-", "-", "-", "-", "-"});
      continue;
    }
    const Estimate& best = *run.best;
    const auto gib = static_cast<double>(kGibi);
    const auto peak = static_cast<double>(best.peak_memory.value);
    table.rows.push_back(
        {title, settings_text(run.row), short_name(best.strategy),
         fmt::format("{:.4g}{}", best.step_time.value,
                     interval_text(run.margins.step_time, best.step_time.value, 1)),
         fmt::format("{:.0f}", best.tokens_per_s), fmt::format("{:.1f}", best.mfu_pct),
         fmt::format("{:.1f}{}", peak / gib, interval_text(run.margins.memory, peak, gib)),
         best.energy.value > 0 ? fmt::format("{:.2f}", best.energy.value / 1e6) : std::string("-")});
  }
  return table;
}

std::string reduction_text(const Reduction& reduction) {
  std::string text = fmt::format("{:.1f}", reduction.pct);
  if (reduction.interval) {
    text += fmt::format(" ({:.0f} to {:.0f})", reduction.interval->low, reduction.interval->high);
  }
  return text + (reduction.is_tie() ? ": tie" : "");
}

TextTable shown_gains(const std::vector<PaperGain>& gains) {
  TextTable table{
      .columns = {"against", "settings", "Portolan within", "time, % less", "memory, % less", "38 % / 42 %"},
      .rows = {}};
  for (const PaperGain& gain : gains) {
    const auto reached = [](bool is) { return is ? "reached" : "not"; };
    table.rows.push_back(
        {planner_title(gain.theirs->row), settings_text(gain.theirs->row),
         gain.ours->row.variant.empty() ? gain.ours->row.device : gain.ours->row.variant,
         reduction_text(gain.time), reduction_text(gain.memory),
         fmt::format("{} / {}", reached(gain.reaches_time()), reached(gain.reaches_memory()))});
  }
  return table;
}

}  // namespace portolan
