#include "catalog/import/pods.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace portolan {

Result<std::int64_t> find_nodes_per_pod(std::vector<Pod> pods, std::string_view file) {
  assert(!pods.empty());
  std::ranges::stable_sort(pods, std::ranges::greater(), &Pod::num_nodes);
  const Pod& largest = pods.front();
  if (pods.size() > 1 && pods[pods.size() - 2].num_nodes < largest.num_nodes) {
    const auto is_full = [&](const Pod& pod) { return pod.num_nodes == largest.num_nodes; };
    const Pod& smallest = pods.back();
    return infeasible(fmt::format(
        "{}: {} of {} pods have {} nodes (that of {}), the others fewer, down to {} (that of {}): "
        "uneven pods are not described yet (allowed: one smaller pod)",
        file, std::ranges::count_if(pods, is_full), pods.size(), largest.num_nodes, largest.name,
        smallest.num_nodes, smallest.name));
  }
  return largest.num_nodes;
}

}  // namespace portolan
