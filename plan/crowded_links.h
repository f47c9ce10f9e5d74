#pragma once

#include <cstdint>
#include <vector>

#include "plan/collectives/link_loads.h"
#include "plan/op_flows.h"
#include "topology/cluster.h"

namespace portolan {

/// Collectives within kernels with the same flows, but for their sizes.
struct WithinKernels {
  const Op* op = nullptr;
  const OpFlows* flows = nullptr;  ///< of all groups, if they cross the network
  LinkLoads of_one;                ///< else of one group: others are alike, and so is what they meet
  double repetitions = 0;          ///< in a step, of what `op` moves
};

/// Communications that run so often in a step.
struct RepeatedFlows {
  const OpFlows* flows = nullptr;
  double times = 0;
  /// The stages to whose nodes payloads come, and those whose nodes they leave, if each stage has nodes of
  /// its own; empty: any.
  std::vector<std::int32_t> to;
  std::vector<std::int32_t> from;
};

/// What a stage communicates. That of its kernels, if it crosses the network, is among `apart` too.
struct StageTraffic {
  std::vector<WithinKernels> within_kernels;
  std::vector<RepeatedFlows> beside;  ///< what can run beside kernels of the stage
  std::vector<RepeatedFlows> apart;   ///< what never does
};

/// For each stage and each of its collectives within kernels: whether there is a link that it crosses, and of
/// which what those within kernels and what can run beside them take in a step, in seconds, has a product
/// beyond the stage's part of `negligible`.
std::vector<std::vector<bool>> meet_others(const std::vector<StageTraffic>& stages, const Cluster& cluster,
                                           const std::vector<double>& negligible);

}  // namespace portolan
