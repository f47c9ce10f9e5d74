#include "tests/bench/shipped_scenarios.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "catalog/hardware_yaml.h"
#include "catalog/model_yaml.h"
#include "catalog/scenario_yaml.h"
#include "catalog/software_yaml.h"

namespace portolan {

namespace {

std::filesystem::path folder() { return std::filesystem::path(PORTOLAN_SOURCE_DIR) / "scenarios"; }

template <typename T>
T or_end(Result<T> read) {
  if (!read) {
    std::abort();
  }
  return *std::move(read);
}

Scenario shipped(const char* name) {
  return or_end(read_scenario(folder() / name, {.folders = {folder()}}, std::nullopt));
}

}  // namespace

const Scenario& gpt3_scenario() {
  static const Scenario scenario = shipped("gpt3-175b-512xa100.yaml");
  return scenario;
}

const Scenario& mixtral_scenario() {
  static const Scenario scenario = [] {
    Scenario mixtral = gpt3_scenario();
    mixtral.model = or_end(read_model(folder() / "models" / "mixtral-8x7b.yaml"));
    mixtral.software = or_end(read_software(folder() / "software" / "megatron-2024.yaml"));
    return mixtral;
  }();
  return scenario;
}

Strategy gpt3_strategy() {
  Strategy strategy;
  strategy.tensor_parallel = 8;
  strategy.pipeline_parallel = 8;
  strategy.data_parallel = 8;
  strategy.microbatch_size = 3;
  strategy.recompute.all_layers = recompute_full();
  strategy.precision = gpt3_scenario().precision;
  return strategy;
}

Hardware h100_cluster(std::int64_t num_gpus) {
  static const Hardware shipped_hardware =
      or_end(read_hardware(folder() / "hardware" / "dgx-h100-400g-16k.yaml", {{folder()}}));
  Hardware hardware = shipped_hardware;
  hardware.num_nodes = num_gpus / hardware.gpus_per_node;
  return hardware;
}

Scenario llama_7b_scenario(std::int64_t num_gpus) {
  Scenario scenario = mixtral_scenario();
  scenario.model = or_end(read_model(folder() / "models" / "llama2-7b.yaml"));
  scenario.hardware = h100_cluster(num_gpus);
  scenario.num_gpus = num_gpus;
  scenario.global_batch = 4 * num_gpus;
  return scenario;
}

Strategy llama_7b_strategy(const Scenario& scenario) {
  Strategy strategy;
  strategy.pipeline_parallel = 4;
  strategy.data_parallel = static_cast<std::int32_t>(scenario.num_gpus / 4);
  strategy.zero_stage = 1;
  strategy.precision = scenario.precision;
  return strategy;
}

Scenario megatron_1t_scenario(std::int64_t num_gpus, double sequences_per_gpu) {
  static const Scenario shipped_scenario = shipped("megatron-1t-512xa100.yaml");
  Scenario scenario = shipped_scenario;
  scenario.hardware = h100_cluster(num_gpus);
  scenario.precision = Precision::kBf16;
  scenario.num_gpus = num_gpus;
  scenario.global_batch = static_cast<std::int64_t>(sequences_per_gpu * static_cast<double>(num_gpus));
  return scenario;
}

Strategy megatron_1t_strategy(const Scenario& scenario, std::int32_t num_stages) {
  Strategy strategy;
  strategy.tensor_parallel = 8;
  strategy.pipeline_parallel = num_stages;
  strategy.data_parallel = static_cast<std::int32_t>(scenario.num_gpus / 8 / strategy.pipeline_parallel);
  strategy.zero_stage = strategy.data_parallel > 1 ? 1 : 0;
  strategy.recompute.all_layers = recompute_full();
  strategy.precision = scenario.precision;
  return strategy;
}

}  // namespace portolan
