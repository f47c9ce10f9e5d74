#include "cli/json_output.h"

#include <nlohmann/json.hpp>

#include "catalog/json/estimate_json.h"
#include "catalog/json/json_value.h"
#include "catalog/json/run_forecast_json.h"
#include "plan/search_fields.h"
#include "study/ablation.h"

namespace portolan {

namespace {

using Json = nlohmann::ordered_json;

Json optional_number(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json estimate_object(const Estimate& estimate, const PredictionMargins& margins) {
  return Json::parse(write_json_line(to_json(estimate, margins)));
}

Json estimate_array(const std::vector<Estimate>& estimates, std::size_t count,
                    const PredictionMargins& margins) {
  Json list = Json::array();
  for (std::size_t i = 0; i < std::min(count, estimates.size()); ++i) {
    list.push_back(estimate_object(estimates[i], margins));
  }
  return list;
}

Json forecast_object(const std::optional<RunForecast>& forecast) {
  return forecast ? Json::parse(write_json_line(to_json(*forecast))) : Json(nullptr);
}

Json interval_array(const std::optional<ValueInterval>& interval) {
  return interval ? Json::array({interval->low, interval->high}) : Json(nullptr);
}

Json times(const std::vector<Seconds>& list) {
  Json out = Json::array();
  for (Seconds time : list) {
    out.push_back(time.value);
  }
  return out;
}

}  // namespace

std::string space_json(const SearchSpace& space) {
  Json fields = Json::object();
  for (const FieldValues& field : field_values(space)) {
    fields[field.word] = field.values;
  }
  return Json{{"fields", fields}, {"strategies", space.num_strategies()}}.dump(2);
}

namespace {

/// Of the winner; null where nodes lie as they are numbered.
Json placement_json(const PlacedFinalists* placed) {
  if (placed == nullptr) {
    return nullptr;
  }
  const PlacedFinalist& best = placed->list.front();
  const NodeList& order = best.placed.strategy.node_order;
  return {{"fidelity", fidelity_name(placed->fidelity)},
          {"node_order", order.empty() ? Json(nullptr) : Json(format_node_list(order))},
          {"default_step_time_s", best.by_default.step_time.value},
          {"step_time_s", best.placed.step_time.value},
          {"default_busiest_link_s", best.default_load.busiest.value},
          {"busiest_link_s", best.placed_load.busiest.value}};
}

}  // namespace

std::string search_json(const SearchResult& result, const SearchOutput& output) {
  Json pruned = Json::object();
  for (std::size_t i = 0; i < result.num_rejected.size(); ++i) {
    if (result.num_rejected[i] > 0) {
      pruned[std::string(reject_reason_name(static_cast<RejectReason>(i)))] = result.num_rejected[i];
    }
  }
  Json ranking = estimate_array(result.ranking, output.top, output.margins);
  for (std::size_t i = 0; i < ranking.size(); ++i) {
    ranking[i]["probability_best"] = output.odds[i].best;
    ranking[i]["probability_out_of_memory"] = output.odds[i].out_of_memory;
  }
  const Json object = {
      {"candidates",
       {{"enumerated", result.num_enumerated},
        {"pruned", pruned},
        {"evaluated", result.num_evaluated},
        {"feasible", result.num_feasible},
        {"simulated", result.num_simulated}}},
      {"not_in_full", result.not_in_full.empty() ? Json(nullptr) : Json(result.not_in_full)},
      {"none_better", result.none_better ? Json(*result.none_better) : Json(nullptr)},
      {"wall_s", output.wall_s},
      {"evaluations_per_s",
       output.wall_s > 0 ? Json(static_cast<double>(result.num_evaluated) / output.wall_s) : Json(nullptr)},
      {"best", estimate_object(result.ranking.front(), output.margins)},
      {"ranking", ranking},
      {"pareto", estimate_array(result.pareto, result.pareto.size(), output.margins)},
      {"placement", placement_json(output.placement)},
      {"training_run", forecast_object(output.training_run)},
      {"gpus_for_deadline", Json::parse(output.gpus_for_deadline)}};
  return object.dump(2);
}

std::string verdict_json(const Verdict& verdict, const std::vector<std::string>& reasons,
                         const Estimate* winner, const PredictionMargins& margins) {
  const Json object = {
      {"verdict", verdict.rejection ? "rejected" : "feasible"},
      {"reasons", reasons},
      {"estimate", verdict.estimate ? estimate_object(*verdict.estimate, margins) : Json(nullptr)},
      {"winner", winner != nullptr ? estimate_object(*winner, margins) : Json(nullptr)}};
  return object.dump(2);
}

namespace {

/// What was read of a launch script; null without one.
Json launch_json(const LaunchReading* reading) {
  if (reading == nullptr) {
    return nullptr;
  }
  Json taken = Json::array();
  for (const auto& [flag, given] : reading->arguments.given) {
    taken.push_back({{"flag", flag}, {"value", given.text}, {"line", given.line}});
  }
  Json unknown = Json::array();
  for (const UnreadFlag& flag : reading->arguments.unread) {
    unknown.push_back({{"flag", flag.flag}, {"line", flag.line}, {"why", flag.why}});
  }
  Json notes = Json::array();
  for (const ShellNote& note : reading->arguments.notes) {
    notes.push_back({{"line", note.line}, {"text", note.text}});
  }
  return {{"file", reading->arguments.file}, {"taken", taken},     {"assumed", reading->assumed},
          {"differs", reading->differs},     {"unknown", unknown}, {"notes", notes}};
}

}  // namespace

std::string simulation_json(const Simulation& simulation, const SimulationOutput& output) {
  Json unvalidated = Json::array();
  for (const UnvalidatedFigure& figure : output.unvalidated) {
    unvalidated.push_back({{"figure", figure.figure}, {"source", figure.source}});
  }
  const Json object = {{"estimate", estimate_object(simulation.estimate, output.margins)},
                       {"fidelity", output.fidelity},
                       {"activities", simulation.num_activities},
                       {"wall_s", output.wall_s},
                       {"unvalidated", unvalidated},
                       {"launch", launch_json(output.launch)},
                       {"training_run", forecast_object(output.training_run)},
                       {"degraded", Json::parse(output.degraded)}};
  return object.dump(2);
}

std::string run_json(const RunRecord& record) {
  Json memory = Json::array();
  for (const RankMemory& m : record.memory) {
    memory.push_back({{"rank", m.rank},
                      {"live_bytes", m.live.value},
                      {"arena_bytes", m.arena.value},
                      {"rss_bytes", m.rss.value}});
  }
  const Seconds step = median(record.step_times);
  const double tokens = record.predicted.tokens_per_s * record.predicted.step_time.value;
  const Json object = {{"median_step_s", step.value},
                       {"mad_step_s", median_absolute_deviation(record.step_times).value},
                       {"step_s", times(record.step_times)},
                       {"loss", record.losses},
                       {"heldout_loss", record.heldout_losses},
                       {"tokens_per_s", step.value > 0 ? Json(tokens / step.value) : Json(nullptr)},
                       {"memory", memory},
                       {"valid", record.valid},
                       {"invalid_reason", record.valid ? Json(nullptr) : Json(record.invalid_reason)},
                       {"program_hash", record.program_hash}};
  return object.dump(2);
}

std::string divergence_json(const Divergence& divergence, const std::string& program_hash) {
  const auto word = [](const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); };
  Json memory = Json::array();
  for (const MemoryDivergence& m : divergence.memory) {
    memory.push_back({{"rank", m.rank},
                      {"what", m.what},
                      {"predicted_bytes", m.predicted.value},
                      {"measured_bytes", m.measured.value},
                      {"divergence_pct", optional_number(m.divergence_pct)}});
  }
  Json kinds = Json::array();
  for (const KindDivergence& k : divergence.by_kind) {
    kinds.push_back({{"kind", k.kind},
                     {"axis", word(k.axis)},
                     {"phase", word(k.phase)},
                     {"predicted_s", k.predicted.value},
                     {"measured_s", k.measured.value},
                     {"divergence_pct", optional_number(k.divergence_pct)},
                     {"noise_s", k.noise ? Json(k.noise->value) : Json(nullptr)},
                     {"includes_waiting", k.includes_waiting}});
  }
  Json attribution = Json::array();
  for (const Attribution& a : divergence.attribution) {
    attribution.push_back({{"kind", a.kind},
                           {"axis", word(a.axis)},
                           {"phases", word(a.phases)},
                           {"excess_s", a.excess.value},
                           {"excess_pct", optional_number(a.excess_pct)},
                           {"noise_s", a.noise.value},
                           {"share_pct", optional_number(a.share_pct)}});
  }
  Json unknown = Json::array();
  for (const UnknownKernel& u : divergence.unknown) {
    unknown.push_back({{"name", u.name}, {"launches", u.count}, {"time_s", u.time.value}});
  }
  const StepDivergence& step = divergence.step;
  const Json object = {{"step_time",
                        {{"predicted_s", step.predicted.value},
                         {"measured_s", step.measured.value},
                         {"divergence_pct", optional_number(step.divergence_pct)},
                         {"noise_pct", step.noise_pct},
                         {"valid", divergence.valid}}},
                       {"memory", memory},
                       {"by_kind", kinds},
                       {"attribution", attribution},
                       {"unknown_kernels", unknown},
                       {"notes", divergence.notes},
                       {"invalid_reason", divergence.valid ? Json(nullptr) : Json(divergence.invalid_reason)},
                       {"program_hash", program_hash}};
  return object.dump(2);
}

std::string calibration_json(const CalibrationOutput& output) {
  const Json object = {{"gemm_points", output.gemm_points},
                       {"collective_points", output.collective_points},
                       {"noise_pct", output.noise_pct}};
  return object.dump(2);
}

namespace {

Json assumptions_json(const std::vector<Assumption>& assumed) {
  Json object = Json::object();
  for (const Assumption& one : assumed) {
    object[one.field] = one.value;
  }
  return object;
}

/// Adds what a group of rows has in common, whatever was predicted.
void add_errors(Json& group, const ErrorSummary& errors, const Coverage& known, const Coverage& new_source) {
  group["mape_pct"] = optional_number(errors.mape_pct);
  group["median_pct"] = optional_number(errors.median_pct);
  group["max_pct"] = optional_number(errors.max_pct);
  group["bias_pct"] = optional_number(errors.bias_pct);
  group["coverage90_pct"] = optional_number(known.covered_pct);
  group["half_width_pct"] = optional_number(known.half_width_pct);
  group["new_source"] = {{"coverage90_pct", optional_number(new_source.covered_pct)},
                         {"half_width_pct", optional_number(new_source.half_width_pct)}};
}

Json memory_rows_json(const MemoryValidation& validation) {
  Json rows = Json::array();
  for (const MemoryPrediction& row : validation.rows) {
    rows.push_back(
        {{"id", row.id},
         {"measured_bytes", row.measured ? Json(row.measured->value) : Json(nullptr)},
         {"did_not_fit", !row.measured},
         {"predicted_bytes", row.predicted.value},
         {"range_bytes",
          row.is_range ? Json::array({row.predicted.value, row.largest.value}) : Json(nullptr)},
         {"error_pct", row.measured ? Json(row.error_pct()) : Json(nullptr)},
         {"interval_bytes", interval_array(row.interval(row.margin))},
         {"interval_basis", row.margin ? Json(interval_basis_name(row.margin->basis)) : Json(nullptr)},
         {"new_source_interval_bytes", interval_array(row.interval(row.new_source_margin))},
         {"capacity_bytes", row.capacity.value},
         {"feasible_at_95_pct", row.fits(row.margin)},
         {"strategy", row.strategy},
         {"assumed", assumptions_json(row.assumed)}});
  }
  return rows;
}

Json memory_groups_json(const MemoryValidation& validation) {
  Json groups = Json::array();
  for (const MemoryGroup& group : validation.groups) {
    groups.push_back({{"source_family", group.source_family},
                      {"prefix", group.prefix},
                      {"rows", group.rows},
                      {"ranges", group.ranges},
                      {"did_not_fit", group.did_not_fit},
                      {"did_not_fit_but_called_feasible", group.did_not_fit_but_called_feasible}});
    add_errors(groups.back(), group.errors, group.coverage, group.new_source);
  }
  return groups;
}

Json rankings_json(const std::vector<RankingGroup>& rankings) {
  Json groups = Json::array();
  for (const RankingGroup& group : rankings) {
    groups.push_back({{"source_family", group.source_family},
                      {"prefix", group.prefix},
                      {"jobs", group.jobs},
                      {"configurations", group.configurations},
                      {"regret_pct", group.regret_pct},
                      {"place_of_best", group.place_of_best},
                      {"spearman", group.spearman}});
  }
  return groups;
}

Json skipped_json(const std::vector<SkippedPrediction>& skipped) {
  Json list = Json::array();
  for (const SkippedPrediction& one : skipped) {
    list.push_back({{"id", one.id}, {"reason", one.reason}});
  }
  return list;
}

}  // namespace

std::string validation_json(const Validation& validation, const MemoryValidation* memory) {
  Json groups = Json::array();
  for (const ValidationGroup& group : validation.groups) {
    groups.push_back({{"source_family", group.source_family},
                      {"prefix", group.prefix},
                      {"rows", group.rows},
                      {"ranges", group.ranges},
                      {"skipped", group.skipped},
                      {"apart", group.apart},
                      {"noise_pct", optional_number(group.noise_pct)}});
    add_errors(groups.back(), group.errors, group.coverage, group.new_source);
  }
  Json rows = Json::array();
  for (const RowPrediction& row : validation.rows) {
    rows.push_back(
        {{"id", row.id},
         {"measured_s", row.measured.value},
         {"predicted_s", row.predicted.value},
         {"range_s", row.is_range ? Json::array({row.predicted.value, row.slowest.value}) : Json(nullptr)},
         {"error_pct", row.error_pct()},
         {"apart", row.apart.empty() ? Json(nullptr) : Json(row.apart)},
         {"interval_s", interval_array(row.interval(row.margin))},
         {"interval_basis", row.margin ? Json(interval_basis_name(row.margin->basis)) : Json(nullptr)},
         {"new_source_interval_s", interval_array(row.interval(row.new_source_margin))},
         {"strategy", row.strategy},
         {"assumed", assumptions_json(row.assumed)}});
  }
  Json terms = Json::array();
  for (const PhysicsTerm& term : physics_terms()) {
    terms.push_back({{"name", term.name}, {"what", term.what}});
  }
  Json all = {{"groups", std::move(groups)},
              {"rows", std::move(rows)},
              {"ranking", rankings_json(validation.rankings)},
              {"skipped", skipped_json(validation.skipped)},
              {"terms", std::move(terms)}};
  if (memory != nullptr) {
    all["memory_groups"] = memory_groups_json(*memory);
    all["memory_rows"] = memory_rows_json(*memory);
    all["memory_skipped"] = skipped_json(memory->skipped);
  }
  return all.dump(2);
}

}  // namespace portolan
