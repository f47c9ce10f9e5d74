#pragma once

#include <cstdint>
#include <vector>

#include "base/quantity.h"
#include "model/kernel.h"
#include "plan/program.h"
#include "topology/cluster.h"
#include "topology/hardware.h"

namespace portolan {

/// Times of kernels on one device. Pure: the same kernel always costs the same.
///
/// A matrix product takes its FLOPs at the rate of the nearest measured products, or at peak times
/// efficiency; never less than its bytes at the achieved memory bandwidth (roofline: Williams et al., CACM
/// 2009). A memory-bound kernel takes its bytes at the kernel's measured rate, or at bandwidth times
/// efficiency. Each launch adds a fixed cost, unless the rate was measured with it.
class KernelCost {
 public:
  /// Precondition: hardware.device.peak has `precision`.
  KernelCost(const Hardware& hardware, Precision precision);

  Seconds time(const Kernel& kernel) const;

 private:
  Seconds gemm_time(const Kernel& kernel) const;
  Seconds memory_bound_time(const Kernel& kernel) const;

  DeviceSpec device_;
  FlopsPerSecond peak_;
  std::vector<std::vector<KernelRate>> rates_;  ///< by kernel kind, ascending size
};

/// One payload between two devices.
struct Flow {
  DeviceIndex source = 0;
  DeviceIndex destination = 0;
  double bytes = 0;

  bool operator==(const Flow&) const = default;
};

/// A communication as flows that start together, over when all have arrived, after `latency`.
struct FlowSet {
  std::vector<Flow> flows;
  Seconds latency;

  bool operator==(const FlowSet&) const = default;
};

/// A ring collective over `members`: each edge of the ring carries 2 (n-1)/n (all-reduce) or (n-1)/n of the
/// payload in as many steps. Members that share nodes use one ring a member of a node, so that each network
/// card carries its share. With measured points in the hardware file, the time is theirs and the flows are
/// sized to take it. payload: the whole vector, as each rank holds it (all-reduce) or holds it together
/// (gather, scatter). Source of the volumes: Patarasuk and Yuan, JPDC 2009; nccl-tests, PERFORMANCE.md.
FlowSet ring_collective(const Cluster& cluster, CollectiveKind kind, std::vector<DeviceIndex> members,
                        Bytes payload);

/// A send: bytes / bandwidth + latency of the route, or the measured time.
FlowSet point_to_point(const Cluster& cluster, DeviceIndex source, DeviceIndex destination, Bytes payload);

/// Time of a flow set when nothing else uses its links: the busiest link's bytes over its bandwidth, and the
/// latency.
Seconds uncontended_time(const Cluster& cluster, const FlowSet& set);

}  // namespace portolan
