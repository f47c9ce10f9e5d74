#include "topology/bisection.h"

#include <algorithm>
#include <limits>

namespace portolan {

// Switches that an exchange of equals maps onto each other (leaves of a pod, spines of a group, core
// switches) lie on one side of the smallest of all minimum cuts, which is unique. So a pod's leaves act as
// one switch with a link of U = all its trunks up, a group's spines as one with a link of W = all its core
// trunks. Let a of a pod's s nodes send, N being what a node's cards carry. Its leaves take the cheaper side:
//   spines on the receiving side: f(a) = min(a N, (s - a) N + U)
//   spines on the sending side:   g(a) = min(a N + U, (s - a) N),
// its spines too; with the core switches on the receiving side a group costs
//   min(sum of f, sum of g + W),
// and on the sending side the same with the halves swapped. Without a third tier W = 0: the spines are free.
//
// The cost is a concave function of all a together, so with their sum given it is least at a corner: every
// pod but one wholly in one half. With that one pod fixed, a group's cost is a concave function of the number
// of its pods that send wholly, so again every group but one has all of them or none. Pods and groups are
// equal but for the last, which leaves a handful of divisions to compare.

namespace {

/// How the nodes of one group are divided.
struct GroupDivision {
  std::int64_t num_pods = 0;          ///< whole pods of full size, in either half
  std::int64_t num_sending_pods = 0;  ///< of these, in the sending half
  std::int64_t divided_senders = 0;   ///< senders in one more pod of full size; 0: there is none
  std::int64_t last_nodes = 0;        ///< the cluster's last pod, where the group has it
  std::int64_t last_senders = 0;
};

class BisectionCut {
 public:
  BisectionCut(const ClusterLayout& layout, const TierBandwidth& bandwidth)
      : nodes_per_pod_(std::min(layout.nodes_per_pod, layout.num_nodes)),
        pods_per_group_(std::min(layout.pods_per_group, layout.num_pods)),
        num_full_groups_(layout.num_groups - 1),
        num_full_pods_(layout.num_pods - 1),
        last_pod_nodes_(layout.num_nodes - num_full_pods_ * nodes_per_pod_) {
    const auto of = [](std::int64_t count, BytesPerSecond each) {
      return static_cast<double>(count) * each.value;
    };
    node_ = of(layout.nics_per_node,
               std::min(bandwidth.nic, static_cast<double>(layout.gpus_per_nic()) * bandwidth.pcie));
    pod_uplink_ = of(layout.leaves_per_pod * layout.spines_per_group, bandwidth.trunk);
    group_uplink_ =
        layout.num_groups == 1 ? 0 : of(layout.spines_per_group * layout.num_cores, bandwidth.core_trunk);
  }

  /// Least cost of a cut with `num_senders` nodes in the sending half, core switches in the receiving half.
  double least(std::int64_t num_senders) const {
    double best = std::numeric_limits<double>::infinity();
    // The last pod receives, sends, or is the divided one.
    for (const std::int64_t last_senders : {std::int64_t{0}, last_pod_nodes_, num_senders % nodes_per_pod_}) {
      const std::int64_t rest = num_senders - last_senders;
      if (last_senders <= last_pod_nodes_ && rest >= 0 && rest <= num_full_pods_ * nodes_per_pod_) {
        best = std::min(best, least_of_full_pods(rest, last_senders));
      }
    }
    return best;
  }

 private:
  /// The full pods hold `num_senders` of the senders, the last pod `last_senders`.
  double least_of_full_pods(std::int64_t num_senders, std::int64_t last_senders) const {
    const std::int64_t num_sending_pods = num_senders / nodes_per_pod_;
    const GroupDivision last = {.num_pods = num_full_pods_ - num_full_groups_ * pods_per_group_,
                                .last_nodes = last_pod_nodes_,
                                .last_senders = last_senders};
    const GroupDivision full = {.num_pods = pods_per_group_};
    const std::int64_t divided_senders = num_senders % nodes_per_pod_;
    if (divided_senders == 0) {
      return least_of_groups(num_sending_pods, last, {}, num_full_groups_);
    }
    double best = std::numeric_limits<double>::infinity();
    if (last.num_pods > 0) {
      best = least_of_groups(num_sending_pods, with_divided_pod(last, divided_senders), {}, num_full_groups_);
    }
    if (num_full_groups_ > 0) {
      best = std::min(best, least_of_groups(num_sending_pods, last, with_divided_pod(full, divided_senders),
                                            num_full_groups_ - 1));
    }
    return best;
  }

  static GroupDivision with_divided_pod(GroupDivision group, std::int64_t num_senders) {
    --group.num_pods;
    group.divided_senders = num_senders;
    return group;
  }

  /// `num_sending_pods` whole pods send, of `last`, of `divided` (empty: no such group) and of the others,
  /// which are full groups of whole pods. Infinite when they cannot hold them.
  double least_of_groups(std::int64_t num_sending_pods, GroupDivision last, GroupDivision divided,
                         std::int64_t num_others) const {
    double best = std::numeric_limits<double>::infinity();
    // All groups but one have all pods in the sending half or none; that one has what is left over.
    for (const std::int64_t in_last : {std::int64_t{0}, last.num_pods, left_over(num_sending_pods),
                                       left_over(num_sending_pods - divided.num_pods)}) {
      last.num_sending_pods = in_last;
      for (const std::int64_t in_divided :
           {std::int64_t{0}, divided.num_pods, left_over(num_sending_pods - in_last)}) {
        divided.num_sending_pods = in_divided;
        const std::int64_t in_others = num_sending_pods - in_last - in_divided;
        if (in_last <= last.num_pods && in_divided <= divided.num_pods && in_others >= 0 &&
            in_others <= num_others * pods_per_group_) {
          best = std::min(best, group(last) + group(divided) + others(in_others, num_others));
        }
      }
    }
    return best;
  }

  std::int64_t left_over(std::int64_t num_pods) const {
    return (num_pods % pods_per_group_ + pods_per_group_) % pods_per_group_;
  }

  double others(std::int64_t num_sending_pods, std::int64_t num_groups) const {
    const std::int64_t num_sending = num_sending_pods / pods_per_group_;
    const std::int64_t in_mixed = num_sending_pods % pods_per_group_;
    const std::int64_t num_mixed = in_mixed > 0 ? 1 : 0;
    const auto cost = [&](std::int64_t count, std::int64_t sending_pods) {
      return static_cast<double>(count) *
             group({.num_pods = pods_per_group_, .num_sending_pods = sending_pods});
    };
    return cost(num_sending, pods_per_group_) + cost(num_mixed, in_mixed) +
           cost(num_groups - num_sending - num_mixed, 0);
  }

  double group(const GroupDivision& division) const {
    return std::min(pods(division, false), pods(division, true) + group_uplink_);
  }

  double pods(const GroupDivision& division, bool spines_send) const {
    const auto cost = [&](std::int64_t count, std::int64_t senders, std::int64_t nodes) {
      return static_cast<double>(count) * pod(senders, nodes, spines_send);
    };
    const std::int64_t num_sending = division.num_sending_pods;
    return cost(num_sending, nodes_per_pod_, nodes_per_pod_) +
           cost(division.num_pods - num_sending, 0, nodes_per_pod_) +
           cost(division.divided_senders > 0 ? 1 : 0, division.divided_senders, nodes_per_pod_) +
           cost(1, division.last_senders, division.last_nodes);
  }

  double pod(std::int64_t num_senders, std::int64_t num_nodes, bool spines_send) const {
    const double up = static_cast<double>(num_senders) * node_;
    const double down = static_cast<double>(num_nodes - num_senders) * node_;
    return spines_send ? std::min(up + pod_uplink_, down) : std::min(up, down + pod_uplink_);
  }

  std::int64_t nodes_per_pod_;
  std::int64_t pods_per_group_;
  std::int64_t num_full_groups_;  ///< all but the last, which may be full too
  std::int64_t num_full_pods_;    ///< all but the last, which may be full too
  std::int64_t last_pod_nodes_;
  double node_ = 0;
  double pod_uplink_ = 0;
  double group_uplink_ = 0;
};

}  // namespace

BytesPerSecond smallest_bisection(const ClusterLayout& layout, const TierBandwidth& bandwidth) {
  if (layout.num_nodes == 1) {
    return static_cast<double>(layout.gpus_per_node / 2) * bandwidth.nvlink;
  }
  const BisectionCut cut(layout, bandwidth);
  const std::int64_t half = layout.num_nodes / 2;
  return BytesPerSecond(std::min(cut.least(half), cut.least(layout.num_nodes - half)));
}

}  // namespace portolan
