#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "base/random.h"
#include "plan/closed_form.h"
#include "plan/legality.h"
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

/// Seconds that links need for the bytes they carry.
struct Wires {
  double links = 0;   ///< of one rank to its node's switch, for what stays in the node
  double cards = 0;   ///< of one node together, for what leaves it
  double copies = 0;  ///< of one rank to its host or back, whichever is more
};

/// Seconds that the ranks of a program cannot do without.
struct Bounds {
  double arithmetic = 0;  ///< kernels of one rank at the achieved rates, launches left out
  Wires wires;
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

/// Bytes that each rank sends within its node, and each node to others.
struct Traffic {
  explicit Traffic(const Scenario& scenario)
      : hardware(scenario.hardware),
        stays(static_cast<std::size_t>(scenario.num_gpus), 0),
        leaves(static_cast<std::size_t>(scenario.hardware.num_nodes), 0),
        to_host(stays),
        from_host(stays) {}

  void add(const Program& program, std::int32_t rank, const Op& op) {
    const auto node_of = [&](std::int32_t any) {
      return static_cast<std::size_t>(any / hardware.gpus_per_node);
    };
    const auto is_near = [&](std::int32_t other) { return node_of(other) == node_of(rank); };
    const auto bytes = static_cast<double>(op.bytes.value);
    double& staying = stays[static_cast<std::size_t>(rank)];
    if (op.kind == OpKind::kSend) {
      (is_near(peer_of(program, rank, op)) ? staying : leaves[node_of(rank)]) += bytes;
    } else if (op.kind == OpKind::kCopy) {
      (op.to_host ? to_host : from_host)[static_cast<std::size_t>(rank)] += bytes;
    } else if (op.kind == OpKind::kCollective) {
      const std::vector<std::int32_t> group = group_of(program, rank, op);
      const auto members = static_cast<double>(group.size());
      const auto near = static_cast<double>(std::ranges::count_if(group, is_near));
      if (near < members) {
        leaves[node_of(rank)] += bytes * least_sent(op, members, near);
      } else if (members > 1) {
        staying += bytes * least_sent(op, members, 1);
      }
    }
  }

  Wires wires() const {
    const auto achieved = [](const LinkSpec& link) {
      return link.bandwidth.value.value * link.efficiency.value;
    };
    return {.links = *std::ranges::max_element(stays) / achieved(hardware.nvlink),
            .cards = *std::ranges::max_element(leaves) /
                     (static_cast<double>(hardware.nics_per_node) * achieved(hardware.nic)),
            .copies = std::max(*std::ranges::max_element(to_host), *std::ranges::max_element(from_host)) /
                      achieved(*hardware.pcie)};
  }

  const Hardware& hardware;
  std::vector<double> stays, leaves, to_host, from_host;
};

double arithmetic_of(const Hardware& h, const Op& op) {
  const double memory = h.device.memory_bandwidth.value.value * h.device.memory_efficiency.value;
  double seconds = 0;
  for (const Kernel& kernel : op.kernels) {
    const bool product = is_gemm(kernel.kind) || is_flash_attention(kernel.kind);
    const Precision precision = kernel.shape.factor_bytes == 1 ? Precision::kFp8 : Precision::kBf16;
    const double rate = h.device.peak.at(precision).value.value * h.device.gemm_efficiency.value;
    seconds +=
        std::max(static_cast<double>(kernel.bytes.value) / memory, product ? kernel.flops.value / rate : 0);
  }
  return seconds;
}

Bounds bounds_of(const Scenario& scenario, const Program& program) {
  Bounds bounds;
  Traffic traffic(scenario);
  for (std::int32_t rank = 0; rank < program.num_ranks(); ++rank) {
    const Stage& stage = program.stages[static_cast<std::size_t>(stage_of(program, rank))];
    const std::vector<SlotTurn> turns = slot_turns(stage);
    double arithmetic = 0;
    for (std::size_t slot = 0; slot < stage.order.size(); ++slot) {
      for (const Op& op : stage.templates[static_cast<std::size_t>(stage.order[slot].template_index)].ops) {
        if (runs_in(op, turns[slot])) {
          arithmetic += arithmetic_of(scenario.hardware, op);
          traffic.add(program, rank, op);
        }
      }
    }
    bounds.arithmetic = std::max(bounds.arithmetic, arithmetic);
  }
  bounds.wires = traffic.wires();
  return bounds;
}

Hardware with_free_links(Hardware hardware) {
  for (LinkSpec* link : {&hardware.nvlink, &hardware.nic, &hardware.trunk, &*hardware.pcie}) {
    *link = {.bandwidth = {BytesPerSecond(1e30), ""}, .latency = {}, .efficiency = {1, ""}};
  }
  hardware.collective_base.value = hardware.intra_node_step.value = hardware.inter_node_step.value =
      Seconds(0);
  return hardware;
}

/// The longest chain of a step's compute, transfers of activations and gradients taking no time.
double longest_chain_s(const Scenario& scenario, const Strategy& strategy, const Program& program) {
  const Hardware free = with_free_links(scenario.hardware);
  const Cluster cluster = Cluster::build(free).value();
  const KernelCost cost(free, strategy.precision, scenario.software);
  const CostedProgram costed = fold(program, cost, cluster, Fidelity::kFolded);
  return run_without_contention(unfold(costed, cluster).value().graph)->makespan.value;
}

// Each of the five holds at every rung: communication that is folded into compute, too, and what the closed
// form sums up, takes as long as links need for all that they carry.
TEST(Bounds, NoRungIsFasterThanArithmeticWiresOrTheLongestChain) {
  for (const Scenario& scenario : wide_scenarios()) {
    World world(scenario);
    for (const Strategy& strategy : wide_grid(scenario)) {
      const Program program = lower(scenario, strategy);
      const Bounds bounds = bounds_of(scenario, program);
      const double chain = longest_chain_s(scenario, strategy, program);
      for (const Fidelity fidelity : {Fidelity::kClosedForm, Fidelity::kFolded, Fidelity::kReplicas,
                                      Fidelity::kFull, Fidelity::kExplicit}) {
        SCOPED_TRACE(short_name(strategy) + " " + std::string(fidelity_name(fidelity)));
        const double step = world.estimate(strategy, fidelity).step_time.value * (1 + 1e-12);
        // The nearest of them, of the step: arithmetic 0.93, chain 0.99, links 0.38, cards 0.92.
        EXPECT_LE(bounds.arithmetic, step);
        EXPECT_LE(chain, step);
        EXPECT_LE(bounds.wires.links, step);
        EXPECT_LE(bounds.wires.cards, step);
        EXPECT_LE(bounds.wires.copies, step);
      }
    }
  }
}

/// A pipeline whose stages have 0 to 5 layers, some of which are recomputed.
Strategy uneven_pipeline(Scenario& scenario, ScheduleKind schedule, RandomStream& random) {
  const auto below = [&](std::int32_t end) {
    return static_cast<std::int32_t>(random.next_below(static_cast<std::uint64_t>(end)));
  };
  Strategy s;
  s.precision = scenario.precision;
  s.schedule = schedule;
  s.pipeline_parallel = 2 << below(3);
  s.tensor_parallel = s.pipeline_parallel == 8 ? 1 : 1 + below(2);
  s.data_parallel = static_cast<std::int32_t>(scenario.num_gpus) / s.pipeline_parallel / s.tensor_parallel;
  s.zero_stage = s.data_parallel > 1 ? below(2) : 0;
  s.virtual_stages = schedule == ScheduleKind::kInterleaved ? 2 + below(3) : 1;
  const std::int32_t microbatches =
      schedule == ScheduleKind::kInterleaved ? s.pipeline_parallel * (1 + below(3)) : 1 + below(17);
  scenario.global_batch = microbatches * s.data_parallel;
  const std::int32_t num_stages = s.pipeline_parallel * s.virtual_stages;
  const std::int32_t spread = below(3) * 2;
  for (std::int32_t k = 0; k < num_stages; ++k) {
    const bool end = k == 0 || k + 1 == num_stages;
    s.layers_per_stage.push_back((end && spread > 0 ? 0 : 1) + below(spread + 1));
  }
  scenario.model.num_layers = std::accumulate(s.layers_per_stage.begin(), s.layers_per_stage.end(), 0);
  const bool each = below(2) == 0;
  for (std::int64_t layer = 0; each && layer < scenario.model.num_layers; ++layer) {
    s.recompute.per_layer.push_back(below(2) == 0 ? recompute_full() : recompute_none());
  }
  return s;
}

// Where links are free, the longest chain is all there is.
TEST(Bounds, TheClosedFormIsTheLongestChainWhereLinksAreFree) {
  RandomStream random(7);
  for (Scenario scenario : wide_scenarios()) {
    scenario.hardware = with_free_links(scenario.hardware);
    const Cluster cluster = Cluster::build(scenario.hardware).value();
    for (std::int32_t i = 0; i < 800; ++i) {
      scenario.software.blocking_sends.value = i % 2 == 0;
      scenario.model.vocab_size = i % 3 == 0 ? 256000 : 1024;
      const Strategy strategy = uneven_pipeline(scenario, static_cast<ScheduleKind>(i / 2 % 4), random);
      if (find_rejection(scenario, strategy)) {
        continue;
      }
      SCOPED_TRACE(short_name(strategy) + (i % 2 == 0 ? " blocking" : ""));
      const double chain = longest_chain_s(scenario, strategy, lower(scenario, strategy));
      const double step = ClosedForm(scenario, cluster).outcome(strategy).step_time.value;
      EXPECT_LE(chain, step * (1 + 1e-12));
      EXPECT_LE(step, chain * 1.005);  // found 0.2 %
    }
  }
}

}  // namespace
}  // namespace portolan
