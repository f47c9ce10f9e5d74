#include "cli/degraded_json.h"

#include <nlohmann/json.hpp>

namespace portolan {

namespace {

using Json = nlohmann::ordered_json;

Json stop_json(const DegradedStep& degraded, const DegradedStory& story) {
  if (!degraded.stop) {
    return nullptr;
  }
  const JobStop& stop = *degraded.stop;
  const auto& forecast = story.forecast;
  const auto& run = story.scenario.training_run;
  const auto seconds = [](bool known, Seconds time) { return known ? Json(time.value) : Json(nullptr); };
  const bool has_checkpoints = forecast && forecast->checkpoints;
  const Seconds interval = has_checkpoints ? forecast->checkpoints->interval : Seconds(0);
  return {{"event", story.events[stop.event]},
          {"at_s", stop.at.value},
          {"lost_in_step_s", stop.at.value},
          {"lost_since_checkpoint_s",
           has_checkpoints ? Json({{"mean", interval.value / 2}, {"most", interval.value}}) : Json(nullptr)},
          {"restart_s", run ? seconds(run->restart_time.has_value(), run->restart_time.value_or(Seconds(0)))
                            : Json(nullptr)},
          {"step_time_after_s",
           seconds(stop.step_time_after.has_value(), stop.step_time_after.value_or(Seconds(0)))},
          {"no_restart", stop.step_time_after ? Json(nullptr) : Json(stop.no_restart)}};
}

}  // namespace

std::string degraded_json(const DegradedStep& degraded, const DegradedStory& story) {
  Json condition = Json::array();
  for (const Impairment& impairment : story.scenario.hardware.condition) {
    condition.push_back(impairment_text(impairment));
  }
  Json ranks = Json::array();
  const Seconds time = degraded.step.estimate.step_time;
  for (std::size_t i = 0; i < degraded.step.ranks.size(); ++i) {
    const RankTime& rank = degraded.step.ranks[i];
    const Seconds before = degraded.healthy_ranks[i].compute;
    ranks.push_back({{"first_rank", rank.rank},
                     {"num_ranks", story.ranks_together},
                     {"stage", rank.stage},
                     {"compute_s", rank.compute.value},
                     {"healthy_compute_s", before.value},
                     {"wait_s", (time - rank.compute).value},
                     {"healthy_wait_s", (degraded.healthy - before).value}});
  }
  const Json object = {{"condition", condition},
                       {"events", story.events},
                       {"healthy_step_time_s", degraded.healthy.value},
                       {"step_time_s", time.value},
                       {"added_s", degraded.added().value},
                       {"ranks", ranks},
                       {"stop", stop_json(degraded, story)}};
  return object.dump();
}

}  // namespace portolan
