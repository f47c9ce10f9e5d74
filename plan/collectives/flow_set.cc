#include "plan/collectives/flow_set.h"

#include "plan/collectives/link_loads.h"

namespace portolan {

Route route_of(const Cluster& cluster, const Flow& flow) {
  return flow.destination == kHostEnd ? *cluster.host_route(flow.source)
         : flow.source == kHostEnd    ? *cluster.route_from_host(flow.destination)
                                      : cluster.route(flow.source, flow.destination);
}

LinkList links_of(const Cluster& cluster, const Flow& flow) {
  return flow.source == kHostEnd || flow.destination == kHostEnd
             ? route_of(cluster, flow).links
             : cluster.links_between(flow.source, flow.destination);
}

Seconds uncontended_time(const Cluster& cluster, const FlowSet& set) {
  LinkLoads loads;
  loads.add(cluster, set);
  return loads.busiest(cluster) + set.latency;
}

}  // namespace portolan
