#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "catalog/import/imported_hardware.h"
#include "catalog/import/infiniband_fabric.h"
#include "catalog/import/nccl_topology.h"
#include "catalog/import/nvidia_smi_topology.h"
#include "catalog/import/slurm_topology.h"

namespace portolan {

/// What is known of one cluster; any of them.
struct ClusterReports {
  std::optional<NcclTopology> nccl;
  std::optional<NvidiaSmiTopology> nvidia_smi;
  std::optional<SlurmTopology> slurm;
  std::optional<InfinibandFabric> infiniband;
};

/// One cluster of all that is known of it. Where several say the same, the most direct one counts: NCCL
/// before nvidia-smi, cables before Slurm. Errors: no report, an empty name; reports that contradict each
/// other on GPUs, network cards, their speed, nodes or pods (kBadInput); shapes that Hardware cannot describe
/// (kInfeasible, see node_report.h, fat_tree.h).
Result<ImportedHardware> import_cluster(const ClusterReports& reports, std::string name);

}  // namespace portolan
