#include "topology/bisection.h"

#include <algorithm>
#include <limits>
#include <optional>

namespace portolan {

// By symmetry all rails carry alike, and the spines together act as one switch to which each leaf has a
// link of U = spines * trunk. Of one rail, let pod i have s_i nodes, a_i of them in the sending half. Its
// leaf sits on one side of a minimum cut; with the spines on the receiving side the cheaper choice costs
//   f_i(a) = min(a * nic + U, (s_i - a) * nic),
// and the cut is the sum over pods (spines on the sending side: the same sum with the halves swapped).
// f_i is concave, so over all a with sum a_i = half the sum is least where every pod but one is wholly in
// one half. Pods are equal but for the last, which leaves a handful of divisions to compare.

namespace {

class RailCut {
 public:
  RailCut(const ClusterLayout& layout, const TierBandwidth& bandwidth)
      : nodes_per_pod_(std::min(layout.nodes_per_pod, layout.num_nodes)),
        num_equal_pods_(layout.num_pods - 1),
        last_pod_nodes_(layout.num_nodes - num_equal_pods_ * nodes_per_pod_),
        nic_(bandwidth.nic.value),
        uplink_(static_cast<double>(layout.num_spines) * bandwidth.trunk.value) {}

  /// Least cost of a cut with `num_senders` nodes in the sending half.
  double least(std::int64_t num_senders) const {
    double best = std::numeric_limits<double>::infinity();
    const auto consider = [&](std::int64_t senders_in_last_pod) {
      if (senders_in_last_pod < 0 || senders_in_last_pod > last_pod_nodes_) {
        return;
      }
      if (const auto others = equal_pods(num_senders - senders_in_last_pod)) {
        best = std::min(best, *others + pod(senders_in_last_pod, last_pod_nodes_));
      }
    };
    consider(0);
    consider(last_pod_nodes_);
    consider(num_senders % nodes_per_pod_);  // the last pod is the divided one, the others are whole
    return best;
  }

 private:
  double pod(std::int64_t num_senders, std::int64_t num_nodes) const {
    return std::min(static_cast<double>(num_senders) * nic_ + uplink_,
                    static_cast<double>(num_nodes - num_senders) * nic_);
  }

  /// The equal pods with at most one of them divided; nothing when they cannot hold the senders.
  std::optional<double> equal_pods(std::int64_t num_senders) const {
    if (num_senders < 0 || num_senders > num_equal_pods_ * nodes_per_pod_) {
      return std::nullopt;
    }
    const std::int64_t num_sending = num_senders / nodes_per_pod_;
    const std::int64_t remainder = num_senders % nodes_per_pod_;
    const std::int64_t num_divided = remainder > 0 ? 1 : 0;
    const std::int64_t num_receiving = num_equal_pods_ - num_sending - num_divided;
    return static_cast<double>(num_sending) * pod(nodes_per_pod_, nodes_per_pod_) +
           static_cast<double>(num_divided) * pod(remainder, nodes_per_pod_) +
           static_cast<double>(num_receiving) * pod(0, nodes_per_pod_);
  }

  std::int64_t nodes_per_pod_;
  std::int64_t num_equal_pods_;
  std::int64_t last_pod_nodes_;
  double nic_;
  double uplink_;
};

}  // namespace

BytesPerSecond smallest_bisection(const ClusterLayout& layout, const TierBandwidth& bandwidth) {
  if (layout.num_nodes == 1) {
    return static_cast<double>(layout.gpus_per_node / 2) * bandwidth.nvlink;
  }
  const RailCut cut(layout, bandwidth);
  const std::int64_t half = layout.num_nodes / 2;
  const double least_of_rail = std::min(cut.least(half), cut.least(layout.num_nodes - half));
  return BytesPerSecond(static_cast<double>(layout.nics_per_node) * least_of_rail);
}

}  // namespace portolan
