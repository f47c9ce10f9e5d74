#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "catalog/import/infiniband_fabric.h"

namespace portolan {

/// Which of the adapters on a fabric belong to compute nodes.
struct ComputeAdapters {
  /// Names of nodes, without domains; all hosts where nothing is said.
  std::optional<std::vector<std::string>> nodes;
  std::string nodes_file;  ///< who says so
  /// Names of cards ("mlx5_0"); all cards where empty, or where a node lacks one of the names.
  std::vector<std::string> cards;
};

struct FabricCard {
  std::string name;                      ///< "mlx5_0"
  const InfinibandPort* port = nullptr;  ///< of the fabric, which outlives it; leads to a switch
};

struct FabricHost {
  std::string name;               ///< without its domain
  std::vector<FabricCard> cards;  ///< by name, mlx5_2 before mlx5_10
};

/// Whether the adapter is a switch's own unit for reductions, which is no host's.
bool is_aggregation_node(const InfinibandDevice& device);

/// The compute nodes on a fabric, by name; what is left out is told in `assumed`. A host is the first of the
/// two words of an adapter's description ("node1 mlx5_0"). Errors: an adapter that names no host, no host at
/// all, a node of `compute` that has no adapter (kBadInput); an adapter joined to another one (kInfeasible).
Result<std::vector<FabricHost>> find_hosts(const InfinibandFabric& fabric, const ComputeAdapters& compute,
                                           std::vector<std::string>& assumed);

}  // namespace portolan
