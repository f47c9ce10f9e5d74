#include "plan/verdict.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/parse_quantity.h"
#include "plan/open_recompute.h"
#include "plan/rank_place.h"

namespace portolan {

double objective_value(Objective objective, const Estimate& estimate) {
  switch (objective) {
    case Objective::kTime:
      return estimate.step_time.value;
    case Objective::kMemory:
      return static_cast<double>(estimate.peak_memory.value);
    case Objective::kEnergy:
      return estimate.energy.value;
    case Objective::kCost:
      return estimate.cost;
  }
  return 0;
}

namespace {

std::string shown_against(Bytes size, Bytes there) {
  return there.value >= kGibi / 10
             ? fmt::format("{:.1f} GiB", static_cast<double>(size.value) / static_cast<double>(kGibi))
             : format_bytes(size);
}

/// What the ranks of a node keep in its memory together, where the hardware file says how much there is.
std::optional<Rejection> find_host_memory_rejection(const Scenario& scenario, const Estimate& estimate) {
  const Bytes there = scenario.hardware.host_memory.value;
  const auto& memory = estimate.stage_memory;
  if (there.value == 0 ||
      std::all_of(memory.begin(), memory.end(), [](const StageMemory& m) { return m.host.value == 0; })) {
    return std::nullopt;
  }
  const Placement placement = placement_of(estimate.strategy);
  std::vector<Bytes> nodes(static_cast<std::size_t>(scenario.hardware.num_nodes));
  for (std::int32_t rank = 0; rank < estimate.strategy.num_ranks(); ++rank) {
    const std::int32_t stage = placement.coordinates_of(rank)[static_cast<std::size_t>(Axis::kPipeline)];
    nodes[static_cast<std::size_t>(rank / scenario.hardware.gpus_per_node)] +=
        memory[static_cast<std::size_t>(stage)].host;
  }
  const auto fullest = std::max_element(nodes.begin(), nodes.end());
  if (*fullest <= there) {
    return std::nullopt;
  }
  return Rejection{RejectReason::kMemory,
                   fmt::format("{} of host memory needed, {} there, node {}", shown_against(*fullest, there),
                               shown_against(there, there), fullest - nodes.begin())};
}

}  // namespace

std::optional<Rejection> find_memory_rejection(const Scenario& scenario, const Estimate& estimate) {
  const Bytes there = scenario.hardware.device.memory.value;
  if (estimate.peak_memory <= there) {
    return find_host_memory_rejection(scenario, estimate);
  }
  const auto& memory = estimate.stage_memory;
  const auto fullest = std::max_element(memory.begin(), memory.end(),
                                        [](const auto& a, const auto& b) { return a.reserved < b.reserved; });
  return Rejection{RejectReason::kMemory,
                   fmt::format("{} needed, {} there, stage {}", shown_against(fullest->reserved, there),
                               shown_against(there, there), fullest - memory.begin())};
}

Verdict judge(const Scenario& scenario, const Strategy& strategy, const Evaluator& evaluator,
              Fidelity fidelity) {
  Verdict verdict;
  verdict.rejection = find_rejection(scenario, strategy);
  if (verdict.rejection) {
    return verdict;
  }
  std::vector<Result<Estimate>> results =
      evaluate_choosing(scenario, std::span(&strategy, 1), evaluator, fidelity);
  if (!results.front()) {
    verdict.rejection = Rejection{RejectReason::kNotAvailable, results.front().error().message};
    return verdict;
  }
  verdict.estimate = *std::move(results.front());
  verdict.rejection = find_memory_rejection(scenario, *verdict.estimate);
  verdict.kind = verdict.rejection ? Verdict::Kind::kRejected : Verdict::Kind::kRanked;
  return verdict;
}

}  // namespace portolan
