#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "plan/lower.h"
#include "plan/rank_place.h"
#include "plan/slot_turn.h"
#include "plan/unfold.h"
#include "tests/property/rungs/wide_scenarios.h"
#include "tests/unit/plan/plain_runner.h"

// No step is shorter than a rank's arithmetic, the bytes that its links must carry, or its longest chain of
// compute: whatever the strategy, at every rung.

namespace portolan {
namespace {

/// Seconds that the ranks of a program cannot do without.
struct Bounds {
  double arithmetic = 0;  ///< kernels of one rank at the achieved rates, launches left out
  double links = 0;       ///< bytes of one rank that stay in its node, over its link to the switch
  double cards = 0;       ///< bytes that leave one node, over all its cards
};

/// Share of a collective's payload that each of `members` ranks must send to ranks other than the `near`
/// ones, which it is one of; the least over all algorithms (Patarasuk and Yuan 2009, doi
/// 10.1016/j.jpdc.2008.09.002, of all-reduces).
double least_sent(const Op& op, double members, double near) {
  const double away = (members - near) / members;
  switch (op.collective) {
    case CollectiveKind::kAllReduce:
      return 2 * away / near;
    case CollectiveKind::kAllGather:
    case CollectiveKind::kReduceScatter:
      return away / near;
    case CollectiveKind::kAllToAll:
      return away;
    case CollectiveKind::kShift:
      return near == members ? 1 : 1 / near;
    default:
      return 0;
  }
}

Bounds bounds_of(const Scenario& scenario, const Program& program) {
  const Hardware& h = scenario.hardware;
  const auto node_of = [&](std::int32_t rank) { return rank / h.gpus_per_node; };
  const double memory = h.device.memory_bandwidth.value.value * h.device.memory_efficiency.value;
  Bounds bounds;
  std::vector<double> left(static_cast<std::size_t>(h.num_nodes), 0);
  for (std::int32_t rank = 0; rank < program.num_ranks(); ++rank) {
    const Stage& stage = program.stages[static_cast<std::size_t>(stage_of(program, rank))];
    const std::vector<SlotTurn> turns = slot_turns(stage);
    double arithmetic = 0, stays = 0;
    double& leaves = left[static_cast<std::size_t>(node_of(rank))];
    for (std::size_t slot = 0; slot < stage.order.size(); ++slot) {
      for (const Op& op : stage.templates[static_cast<std::size_t>(stage.order[slot].template_index)].ops) {
        if (!runs_in(op, turns[slot])) {
          continue;
        }
        for (const Kernel& kernel : op.kernels) {
          const bool product = is_gemm(kernel.kind) || is_flash_attention(kernel.kind);
          const Precision precision = kernel.shape.factor_bytes == 1 ? Precision::kFp8 : Precision::kBf16;
          const double rate = h.device.peak.at(precision).value.value * h.device.gemm_efficiency.value;
          arithmetic += std::max(static_cast<double>(kernel.bytes.value) / memory,
                                 product ? kernel.flops.value / rate : 0);
        }
        const auto bytes = static_cast<double>(op.bytes.value);
        if (op.kind == OpKind::kSend) {
          (node_of(peer_of(program, rank, op)) == node_of(rank) ? stays : leaves) += bytes;
        } else if (op.kind == OpKind::kCollective) {
          const std::vector<std::int32_t> group = group_of(program, rank, op);
          const auto near = std::count_if(group.begin(), group.end(), [&](std::int32_t other) {
            return node_of(other) == node_of(rank);
          });
          const auto members = static_cast<double>(group.size());
          if (near == std::ssize(group)) {
            stays += members > 1 ? bytes * least_sent(op, members, 1) : 0;
          } else {
            leaves += bytes * least_sent(op, members, static_cast<double>(near));
          }
        }
      }
    }
    bounds.arithmetic = std::max(bounds.arithmetic, arithmetic);
    bounds.links =
        std::max(bounds.links, stays / (h.nvlink.bandwidth.value.value * h.nvlink.efficiency.value));
  }
  bounds.cards =
      *std::max_element(left.begin(), left.end()) /
      (static_cast<double>(h.nics_per_node) * h.nic.bandwidth.value.value * h.nic.efficiency.value);
  return bounds;
}

/// The longest chain of a step's compute, transfers of activations and gradients taking no time.
double longest_chain_s(const Scenario& scenario, const Strategy& strategy, const Program& program) {
  Hardware free = scenario.hardware;
  for (LinkSpec* link : {&free.nvlink, &free.nic, &free.trunk}) {
    *link = {.bandwidth = {BytesPerSecond(1e30), ""}, .latency = {}, .efficiency = {1, ""}};
  }
  free.intra_node_step.value = free.inter_node_step.value = Seconds(0);
  const Cluster cluster = Cluster::build(free).value();
  const KernelCost cost(free, strategy.precision, scenario.software.host_launch.value);
  const CostedProgram costed = fold(program, cost, cluster, Fidelity::kFolded);
  return run_without_contention(unfold(costed, cluster).value().graph)->makespan.value;
}

TEST(Bounds, NoRungIsFasterThanArithmeticWiresOrTheLongestChain) {
  for (const Scenario& scenario : wide_scenarios()) {
    World world(scenario);
    for (const Strategy& strategy : wide_grid(scenario, 7)) {
      const Program program = lower(scenario, strategy);
      const Bounds bounds = bounds_of(scenario, program);
      const double chain = longest_chain_s(scenario, strategy, program);
      for (const Fidelity fidelity :
           {Fidelity::kClosedForm, Fidelity::kFolded, Fidelity::kFull, Fidelity::kExplicit}) {
        SCOPED_TRACE(short_name(strategy) + " " + std::string(fidelity_name(fidelity)));
        const double step = world.estimate(strategy, fidelity).step_time.value * (1 + 1e-12);
        // The nearest of them, of the step: 0.93, 0.40, 0.99, 0.99.
        EXPECT_LE(bounds.arithmetic, step);
        EXPECT_LE(bounds.links, step);
        EXPECT_LE(bounds.cards, step);
        EXPECT_LE(chain, step);
      }
    }
  }
}

}  // namespace
}  // namespace portolan
