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
  bytes_.for_each([&](LinkIndex link, double bytes) {
    longest = std::max(longest, bytes / cluster.bandwidth(link).value);
  });
  return Seconds(longest);
}

}  // namespace portolan
