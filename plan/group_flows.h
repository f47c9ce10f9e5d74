#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "plan/collectives/collective_flows.h"
#include "plan/program.h"
#include "plan/told_groups.h"
#include "topology/cluster.h"
#include "topology/placement.h"

namespace portolan {

/// Whether two communication ops have the same flows on the same stage, but for their sizes.
bool flow_alike(const Op& a, const Op& b);

/// Flows of communication ops, for the ranks as they are placed: rank r sits on device r.
class GroupFlows {
 public:
  /// `cluster` must outlive it and have a device for each rank.
  GroupFlows(const Placement& placement, const Cluster& cluster) : placement_(placement), cluster_(cluster) {}

  /// Of the one group that holds `rank`: all, or without those of which others tell.
  FlowSet of_group(const Op& op, std::int32_t rank) const { return of_group(op, rank, ToldGroups()); }
  /// One set for each group of ranks of `stage` that does `op`: all (replica, rail) pairs of a send, all
  /// rails of a data-parallel collective and so on.
  std::vector<FlowSet> all_groups(const Op& op, std::int32_t stage) const;
  /// Those of them that tell of all. telling: that of the op.
  std::vector<FlowSet> told_groups(const Op& op, std::int32_t stage, const ToldGroups& telling) const;
  ToldGroups telling(const Op& op, std::int32_t stage) const;
  /// Time of `op` when all groups of the stage do it together, and nothing else: by bandwidth, and latency.
  struct Time {
    Seconds transfer;
    Seconds latency;
  };
  Time time_together(const Op& op, std::int32_t stage) const;
  /// Whether that is the same for both stages because they sit alike; false also where it is not obvious.
  bool is_alike(const Op& op, std::int32_t stage, std::int32_t other) const;
  Seconds time_of(const Op& op, std::int32_t stage) const {
    const Time time = time_together(op, stage);
    return time.transfer + time.latency;
  }
  /// Whether all ranks along the op's axes share a node, in each part of the stage: no payload crosses the
  /// network.
  bool stay_in_nodes(const Op& op, std::int32_t stage) const;

  const Placement& placement() const { return placement_; }
  std::int32_t first_rank(std::int32_t stage) const;

 private:
  /// Devices from one to another.
  struct Hull {
    DeviceIndex first = 0;
    DeviceIndex last = 0;
  };
  /// Groups of the ranks of one stage that differ in their places along `slowest` only.
  struct Slices {
    Axis slowest = Axis::kData;
    std::int32_t num_places = 1;
    std::vector<bool> silent;  ///< of which others tell; empty: of none

    bool tells(std::int32_t place) const {
      return silent.empty() || !silent[static_cast<std::size_t>(place)];
    }
  };
  /// What payloads of `op` may begin or end at, for ranks of `stage` with any place along the axes `varied`,
  /// and the first one along others.
  Hull hull(const Op& op, std::int32_t stage, AxisSet varied) const;
  FlowSet of_group(const Op& op, std::int32_t rank, const ToldGroups& telling) const;
  /// Of the group that holds `rank`.
  RingMembers ring_members(const Op& op, std::int32_t rank, const ToldHops& hops) const;
  /// How the members of a stage's groups lie among the ranks of the stage alone, where groups differ only
  /// along axes that vary faster than their own: `count` members, `apart`.
  struct Spread {
    std::int64_t apart = 1;
    std::int64_t count = 1;
  };
  std::optional<Spread> spread_of(const Op& op) const;
  /// Of sums over ranks that fill neighbouring nodes: where payloads go from node to node.
  std::optional<ToldHops> hops_of(const Op& op, std::int32_t stage) const;
  /// Of groups that lie side by side.
  std::optional<ToldBlocks> blocks_of(const Op& op, std::int32_t stage) const;
  /// The axes along which groups of one stage differ.
  static AxisSet axes_between(const Op& op);
  Slices all_slices(const Op& op) const;
  /// Whether each group is another one moved within its pods, or those of its members, by some nodes, and
  /// every node of these pods has one.
  bool are_alike_in_pods(const Op& op) const;
  /// Those without which no link would be busier: of slices alike that share no links, one.
  Slices telling_slices(const Op& op, std::int32_t stage) const;
  ToldGroups telling_within_nodes(const Op& op) const;
  /// The first rank of each group that tells, ascending; of a send or receive every rank of the stage.
  std::vector<std::int32_t> leaders(const Op& op, std::int32_t stage, const Slices& slices,
                                    const ToldGroups& telling) const;

  Placement placement_;
  const Cluster& cluster_;
};

}  // namespace portolan
