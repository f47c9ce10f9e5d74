#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace portolan {

/// Nodes below the same leaf switches.
struct Pod {
  std::string name;  ///< of its first leaf switch
  std::int64_t num_nodes = 0;
};

/// Nodes of a full pod. Hardware fills pods one after the other, so that only one may be smaller than the
/// others; other sizes are refused (kInfeasible) with the numbers. Precondition: at least one pod.
Result<std::int64_t> find_nodes_per_pod(std::vector<Pod> pods, std::string_view file);

}  // namespace portolan
