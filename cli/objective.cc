#include "cli/objective.h"

#include <fmt/format.h>

#include <utility>

namespace portolan {

Result<Objective> parse_objective(const std::string& text) {
  for (const auto& [name, objective] : {std::pair{"time", Objective::kTime},
                                        {"memory", Objective::kMemory},
                                        {"energy", Objective::kEnergy},
                                        {"cost", Objective::kCost}}) {
    if (text == name) {
      return objective;
    }
  }
  return bad_input(fmt::format("--objective: \"{}\" (allowed: time, memory, energy, cost)", text));
}

Result<void> check_objective(const Scenario& scenario) {
  if (scenario.objective == Objective::kEnergy && scenario.hardware.device.power_busy.value.value <= 0) {
    return bad_input(
        fmt::format("objective energy: hardware {} gives no device.power_busy", scenario.hardware.name));
  }
  if (scenario.objective == Objective::kCost && scenario.hardware.price_per_gpu_hour.value <= 0) {
    return bad_input(
        fmt::format("objective cost: hardware {} gives no price_per_gpu_hour", scenario.hardware.name));
  }
  return {};
}

}  // namespace portolan
