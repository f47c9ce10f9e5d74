#pragma once

#include <optional>

#include "base/quantity.h"
#include "topology/condition.h"

namespace portolan {

/// Something that goes wrong with a cluster while it trains.
struct ClusterEvent {
  Impairment what;
  Seconds at = {};                      ///< from the start of a step
  std::optional<Seconds> lasting = {};  ///< above 0; none: to the end. Only of what leaves a share

  bool operator==(const ClusterEvent&) const = default;
};

}  // namespace portolan
