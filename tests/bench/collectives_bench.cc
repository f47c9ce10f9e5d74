#include <benchmark/benchmark.h>

#include <numeric>

#include "plan/collectives/collective_flows.h"
#include "tests/bench/shipped_scenarios.h"

namespace portolan {
namespace {

/// Flows of a collective over the first GPUs of dgx-h100-400g-16k, and their time alone.
void price(benchmark::State& state, CollectiveKind kind, CollectiveAlgorithm algorithm) {
  const Cluster cluster = Cluster::build(h100_cluster(kManyGpus)).value();
  std::vector<DeviceIndex> members(static_cast<std::size_t>(state.range(0)));
  std::iota(members.begin(), members.end(), 0);
  const CollectiveRequest request{
      .kind = kind, .algorithm = algorithm, .members = members, .payload = Bytes(kGibi)};
  if (!(uncontended_time(cluster, collective_flows(cluster, request)) > Seconds(0))) {
    state.SkipWithError("a collective takes no time");
    return;
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(uncontended_time(cluster, collective_flows(cluster, request)));
  }
  state.SetComplexityN(state.range(0));
}

BENCHMARK_CAPTURE(price, ring, CollectiveKind::kAllReduce, CollectiveAlgorithm::kRing)
    ->Name("Collective/all_reduce-ring")
    ->RangeMultiplier(8)
    ->Range(8, kManyGpus)
    ->Complexity()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(price, tree, CollectiveKind::kAllReduce, CollectiveAlgorithm::kTree)
    ->Name("Collective/all_reduce-tree")
    ->RangeMultiplier(8)
    ->Range(8, kManyGpus)
    ->Complexity()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(price, hierarchical, CollectiveKind::kAllReduce, CollectiveAlgorithm::kHierarchical)
    ->Name("Collective/all_reduce-hierarchical")
    ->RangeMultiplier(8)
    ->Range(8, kManyGpus)
    ->Complexity()
    ->Unit(benchmark::kMicrosecond);
/// Looks at every pair.
BENCHMARK_CAPTURE(price, all_to_all, CollectiveKind::kAllToAll, CollectiveAlgorithm::kRing)
    ->Name("Collective/all_to_all")
    ->RangeMultiplier(4)
    ->Range(8, 512)
    ->Complexity()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace portolan
