#include "planted_plans.h"

#include <cstdlib>
#include <utility>

#include "../../unit/plan/plain_runner.h"
#include "../../unit/plan/sample_scenarios.h"
#include "plan/lower.h"

namespace portolan {

namespace {

Scenario gpt_of_16(bool flash) {
  Scenario scenario = gpt3_scenario();
  scenario.model.num_layers = 4;
  scenario.model.hidden_size = 4096;
  scenario.model.num_heads = 32;
  scenario.model.ffn_size = 16384;
  scenario.hardware = a100_like_hardware(2);
  scenario.num_gpus = 16;
  scenario.global_batch = 16;
  scenario.software.flash_attention.value = flash;
  return scenario;
}

PredictedPlan predicted(const std::string& name, const Scenario& scenario, const Strategy& strategy) {
  PredictedPlan made{
      .name = name,
      .plan = {.scenario = scenario, .strategy = strategy, .program = lower(scenario, strategy), .hash = ""},
      .simulation = {}};
  const auto cluster = Cluster::build(scenario.hardware);
  auto simulation = simulate_program({.scenario = made.plan.scenario,
                                      .strategy = made.plan.strategy,
                                      .program = made.plan.program,
                                      .cluster = *cluster,
                                      .with_timeline = true},
                                     run_without_contention);
  if (!simulation) {
    std::abort();
  }
  made.simulation = std::move(*simulation);
  return made;
}

}  // namespace

std::vector<PredictedPlan> predicted_plans() {
  std::vector<PredictedPlan> plans;
  {
    const Scenario scenario = gpt_of_16(false);
    Strategy strategy = sample_strategy(scenario, {.tensor = 4, .pipeline = 2, .data = 2, .microbatch = 2});
    strategy.sequence_parallel = true;
    strategy.zero_stage = 1;
    plans.push_back(predicted("sequence parallel", scenario, strategy));
  }
  {
    const Scenario scenario = gpt_of_16(true);
    Strategy strategy = sample_strategy(scenario, {.tensor = 2, .pipeline = 1, .data = 8, .microbatch = 1});
    strategy.recompute.all_layers = recompute_full();
    plans.push_back(predicted("flash", scenario, strategy));
  }
  {
    const Scenario scenario = gpt_of_16(true);
    Strategy strategy = sample_strategy(scenario, {.tensor = 1, .pipeline = 1, .data = 16, .microbatch = 1});
    strategy.zero_stage = 3;
    plans.push_back(predicted("fsdp", scenario, strategy));
  }
  {
    const Scenario scenario = gpt_of_16(true);
    Strategy strategy = sample_strategy(scenario, {.tensor = 2, .pipeline = 1, .data = 4, .microbatch = 1});
    strategy.context_parallel = 2;
    plans.push_back(predicted("ring", scenario, strategy));
  }
  return plans;
}

}  // namespace portolan
