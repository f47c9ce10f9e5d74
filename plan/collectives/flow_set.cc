#include "plan/collectives/flow_set.h"

#include "plan/collectives/link_loads.h"

namespace portolan {

Seconds uncontended_time(const Cluster& cluster, const FlowSet& set) {
  LinkLoads loads;
  for (const Flow& flow : set.flows) {
    for (const LinkIndex link : cluster.route(flow.source, flow.destination).links) {
      loads.add(link, flow.bytes);
    }
  }
  return loads.busiest(cluster) + set.latency;
}

}  // namespace portolan
