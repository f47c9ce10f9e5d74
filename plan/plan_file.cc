#include "plan/plan_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "plan/legality.h"
#include "plan/lower.h"

namespace portolan {

namespace {

constexpr std::string_view kRemedy =
    "is not what scenario and strategy lower to (allowed: changed order lists; for anything else plan again)";

/// Whether `program` has the counts that the lowered Program would have: cheap, and bounds what lowering
/// a strategy of anybody's choosing may cost.
bool has_counts_of(const Program& program, const Scenario& scenario, const Strategy& strategy) {
  return std::ssize(program.stages) == strategy.pipeline_parallel &&
         program.num_microbatches == num_microbatches(scenario, strategy);
}

/// The name of the first item that differs; empty: none does.
template <typename T>
std::string_view find_different(const std::vector<T>& found, const std::vector<T>& expected) {
  const auto [place, other] = std::mismatch(expected.begin(), expected.end(), found.begin(), found.end());
  if (place != expected.end()) {
    return place->name;
  }
  return other == found.end() ? std::string_view() : std::string_view(other->name);
}

/// Where `found` differs from `lowered`, which has as many stages, beside the order lists; empty: nowhere.
std::string find_difference(const Program& found, Program lowered) {
  for (std::size_t s = 0; s < lowered.stages.size(); ++s) {
    const Stage& stage = found.stages[s];
    if (const auto name = find_different(stage.templates, lowered.stages[s].templates); !name.empty()) {
      return fmt::format("stage {}, template {}", s, name);
    }
    if (const auto name = find_different(stage.buffers, lowered.stages[s].buffers); !name.empty()) {
      return fmt::format("stage {}, buffer {}", s, name);
    }
    lowered.stages[s].order = stage.order;
  }
  return lowered == found ? "" : "its head";
}

}  // namespace

Result<void> check_plan(const Plan& plan) {
  if (const auto rejection = find_rejection(plan.scenario, plan.strategy)) {
    return bad_input(fmt::format("strategy: {}", rejection->message));
  }
  if (const auto checked = check_program(plan.program); !checked) {
    return checked.error();
  }
  if (!has_counts_of(plan.program, plan.scenario, plan.strategy)) {
    return bad_input(fmt::format("program: its number of stages or microbatches {}", kRemedy));
  }
  if (const std::string place = find_difference(plan.program, lower(plan.scenario, plan.strategy));
      !place.empty()) {
    return bad_input(fmt::format("program: {} {}", place, kRemedy));
  }
  return {};
}

}  // namespace portolan
