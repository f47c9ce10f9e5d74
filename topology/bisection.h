#pragma once

#include <limits>

#include "base/quantity.h"
#include "topology/cluster_layout.h"

namespace portolan {

/// Achievable bandwidth of one link of each class; of a trunk, of its parallel links together.
struct TierBandwidth {
  BytesPerSecond nvlink;
  BytesPerSecond pcie{std::numeric_limits<double>::infinity()};
  BytesPerSecond nic;
  BytesPerSecond trunk;
  BytesPerSecond core_trunk;
};

/// The smallest max-flow, one direction, from one half of the nodes to the other, over all divisions into
/// halves (of an odd number one half is larger by one). One node: between the halves of its GPUs.
BytesPerSecond smallest_bisection(const ClusterLayout& layout, const TierBandwidth& bandwidth);

}  // namespace portolan
