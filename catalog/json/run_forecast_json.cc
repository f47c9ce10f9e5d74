#include "catalog/json/run_forecast_json.h"

namespace portolan {

namespace {

JsonValue likely_json(const Likely& likely) {
  return JsonValue::object().set("p50", likely.p50).set("p90", likely.p90);
}

JsonValue likely_json(const std::optional<Likely>& likely) {
  return likely ? likely_json(*likely) : JsonValue();
}

template <typename T>
JsonValue value_or_null(const std::optional<T>& value) {
  return value ? JsonValue(*value) : JsonValue();
}

JsonValue checkpoints_json(const std::optional<CheckpointPlan>& checkpoints) {
  if (!checkpoints) {
    return {};
  }
  return JsonValue::object()
      .set("interval_s", checkpoints->interval.value)
      .set("interval_steps", checkpoints->steps)
      .set("is_optimum", checkpoints->is_optimum)
      .set("write_s", checkpoints->time.value)
      .set("size_bytes", checkpoints->size.value > 0 ? JsonValue(checkpoints->size.value) : JsonValue());
}

JsonValue expected_json(const ExpectedTime& expected) {
  return JsonValue::object()
      .set("steps", expected.work.value)
      .set("checkpoints", expected.checkpoints.value)
      .set("lost_work", expected.lost.value)
      .set("restarts", expected.restarts.value);
}

}  // namespace

JsonValue to_json(const RunForecast& forecast) {
  return JsonValue::object()
      .set("num_gpus", forecast.num_gpus)
      .set("num_steps", forecast.num_steps)
      .set("duration_s", likely_json(forecast.time_s))
      .set("expected_s", expected_json(forecast.expected))
      .set("goodput_pct", forecast.goodput_pct)
      .set("mtbf_s", forecast.mtbf.value > 0 ? JsonValue(forecast.mtbf.value) : JsonValue())
      .set("failures", forecast.expected.num_failures)
      .set("checkpoints", checkpoints_json(forecast.checkpoints))
      .set("total_cost", likely_json(forecast.cost))
      .set("total_energy_j", likely_json(forecast.energy_j))
      .set("deadline_probability_pct", value_or_null(forecast.deadline_probability_pct))
      .set("within_budget", value_or_null(forecast.within_budget));
}

}  // namespace portolan
