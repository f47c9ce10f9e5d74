#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "catalog/import/imported_hardware.h"
#include "catalog/import/nccl_topology.h"
#include "catalog/import/nvidia_smi_topology.h"

namespace portolan {

/// What one input says of a node, in the terms of Hardware.
struct NodeReport {
  std::string file;
  std::int64_t num_gpus = 0;
  /// Network cards near GPUs, in the file's order; all cards where none is near. Nothing: not said.
  std::optional<std::vector<std::string>> cards;
  Imported<BytesPerSecond> nvlink_bandwidth;
  std::optional<Imported<BytesPerSecond>> pcie_bandwidth;  ///< nothing: not said
  Imported<BytesPerSecond> nic_bandwidth;
  /// NVLinks between two GPUs, as nvidia-smi counts them; 0 without NVLink.
  std::int64_t links_of_pair = 0;
  std::vector<std::string> assumed;
};

/// Errors (kInfeasible), with the numbers: what Hardware cannot describe. GPUs of different kinds or numbers
/// of NVLinks, NVLink between some pairs of GPUs only, cards near GPUs of different speeds.
Result<NodeReport> report_of(const NcclTopology& topology);
Result<NodeReport> report_of(const NvidiaSmiTopology& topology);

}  // namespace portolan
