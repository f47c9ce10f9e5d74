#pragma once

#include "base/result.h"
#include "study/measured_collective.h"
#include "topology/cluster.h"

namespace portolan {

/// What a collective's time is made of, linear in its size: s/B of each class of links at an efficiency of 1,
/// of which the slowest counts, and how often it takes a step of a ring.
struct LinkTerms {
  double nvlink = 0, nic = 0;
  double others = 0;  ///< PCIe and trunks, at the efficiency that they have
  double bases = 0;   ///< how often it takes collective_base: once, or not at all
  double intra_steps = 0, inter_steps = 0;
  bool steps_side_by_side = false;  ///< the longer counts (of a shift); else one after another
};

/// Prices collectives (plan/collectives/collective_flows.h, rings) on a cluster as it would be if one class
/// of links alone took time.
class LinkTermFinder {
 public:
  /// Errors (kBadInput): what find_problem(hardware) finds.
  static Result<LinkTermFinder> make(Hardware hardware);
  /// Precondition: its members are devices of the hardware.
  LinkTerms terms_of(const MeasuredCollective& collective) const;

 private:
  LinkTermFinder(Cluster nvlink, Cluster nic, Cluster others);

  Cluster nvlink_, nic_, others_;
};

}  // namespace portolan
