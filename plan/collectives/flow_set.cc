#include "plan/collectives/flow_set.h"

#include "plan/collectives/link_loads.h"

namespace portolan {

Seconds uncontended_time(const Cluster& cluster, const FlowSet& set) {
  LinkLoads loads;
  loads.add(cluster, set);
  return loads.busiest(cluster) + set.latency;
}

}  // namespace portolan
