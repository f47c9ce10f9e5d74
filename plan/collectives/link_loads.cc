#include "plan/collectives/link_loads.h"

#include <algorithm>

namespace portolan {

void LinkLoads::add(const Cluster& cluster, const FlowSet& set) {
  for (const Flow& flow : set.flows) {
    for (const LinkIndex link : links_of(cluster, flow)) {
      add(link, flow.bytes);
    }
  }
}

Seconds LinkLoads::busiest(const Cluster& cluster) const {
  double longest = 0;
  for (const Slot& slot : slots_) {
    if (slot.link != kNone) {
      const BytesPerSecond bandwidth = cluster.link_bandwidths()[static_cast<std::size_t>(slot.link)];
      longest = std::max(longest, slot.bytes / bandwidth.value);
    }
  }
  return Seconds(longest);
}

void LinkLoads::grow() {
  std::vector<Slot> full(slots_.size() * 4);
  full.swap(slots_);
  if (num_links_ == 0) {
    return;
  }
  for (const Slot& slot : full) {
    if (slot.link != kNone) {
      slots_[place_of(slot.link)] = slot;
    }
  }
}

}  // namespace portolan
