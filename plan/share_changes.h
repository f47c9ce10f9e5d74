#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "plan/cluster_event.h"
#include "topology/cluster.h"

namespace portolan {

/// From a time on, a link or a GPU has a share of what the cluster's condition leaves it.
struct ShareChange {
  enum class Kind : std::uint8_t { kLink, kGpu };
  Seconds at;
  Kind kind = Kind::kLink;
  std::int32_t index = 0;  ///< LinkIndex or DeviceIndex
  double share = 1;        ///< of all events under way together

  bool operator==(const ShareChange&) const = default;
};

/// Whether something carries or computes nothing any more: the job stops on it.
bool is_fatal(const ClusterEvent& event);

/// Errors (kBadInput): a part that the cluster does not have; what the cluster's condition says already.
Result<void> check_events(const Cluster& cluster, std::span<const ClusterEvent> events);

/// What events that are not fatal do, in the order of time; what changes nothing is left out. Precondition:
/// check_events() found nothing.
std::vector<ShareChange> share_changes(const Cluster& cluster, std::span<const ClusterEvent> events);

/// Links that an event touches; none of slow GPUs and failed nodes. Precondition: as above.
std::vector<LinkIndex> links_touched(const Cluster& cluster, const ClusterEvent& event);

}  // namespace portolan
