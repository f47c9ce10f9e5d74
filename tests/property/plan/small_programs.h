#pragma once

#include <vector>

#include "plan/scenario.h"
#include "plan/strategy.h"

namespace portolan {

/// Scenarios of 1, 2, 4 and 8 GPUs that differ in model style, profile and precision.
std::vector<Scenario> small_scenarios();

/// Every enumerated strategy of `scenario` that breaks no rule.
std::vector<Strategy> legal_strategies(const Scenario& scenario);

/// tiny_gpt with one layer a chunk on as many GPUs, a microbatch of one sequence each.
struct SmallPipeline {
  std::int32_t num_stages = 1;
  std::int32_t num_microbatches = 1;
  ScheduleKind schedule = ScheduleKind::kOneFOneB;
  std::int32_t num_chunks = 1;
};
struct ScenarioAndStrategy {
  Scenario scenario;
  Strategy strategy;
};
ScenarioAndStrategy small_pipeline(const SmallPipeline& pipeline);

/// All pipelines of up to `max_stages` and `max_microbatches`, by all schedules, interleaved ones of 2 and 3
/// chunks a stage.
std::vector<SmallPipeline> small_pipelines(std::int32_t max_stages, std::int32_t max_microbatches);

}  // namespace portolan
