#include <benchmark/benchmark.h>

#include <cmath>

#include "plan/collectives/collective_flows.h"
#include "plan/unfold.h"
#include "sim/simulator.h"
#include "tests/bench/shipped_scenarios.h"

namespace portolan {
namespace {

constexpr std::int32_t kNumRanks = 512;
constexpr std::int32_t kNumLayers = 96;
constexpr std::int64_t kBucketBytes = 48 * kMebi;

/// On every rank, 96 times compute and, beside the next compute, an all-reduce over all ranks.
Program overlapping_program() {
  Program program;
  program.degrees[static_cast<std::size_t>(Axis::kData)] = kNumRanks;
  program.lanes = {{.kind = Lane::Kind::kCompute, .name = "compute"},
                   {.kind = Lane::Kind::kCommunication, .name = "gradients"}};
  Template pass;
  pass.name = "backward";
  for (std::int32_t layer = 0; layer < kNumLayers; ++layer) {
    Op compute;
    compute.kind = OpKind::kCompute;
    pass.ops.push_back(compute);
    Op all_reduce;
    all_reduce.kind = OpKind::kCollective;
    all_reduce.lane = 1;
    all_reduce.collective = CollectiveKind::kAllReduce;
    all_reduce.axes = {Axis::kData};
    all_reduce.bytes = Bytes(kBucketBytes);
    all_reduce.predecessors = {{.kind = Predecessor::Kind::kOp, .op = 2 * layer}};
    pass.ops.push_back(all_reduce);
  }
  Stage stage;
  stage.templates = {pass};
  stage.order = {{.template_index = 0, .microbatch = 0}};
  program.stages = {stage};
  return program;
}

/// Every GPU and every flow of every all-reduce. ASTRA-sim's analytical backend takes 122 s for the like.
void overlapping_all_reduces(benchmark::State& state) {
  const Scenario& scenario = gpt3_scenario();
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const Program program = overlapping_program();
  const KernelCost cost(scenario.hardware, scenario.precision);
  CostedProgram costed = fold(program, cost, cluster, Fidelity::kFull);
  for (CostedOp& op : costed.stages[0].templates[0].ops) {
    if (op.kind == OpKind::kCompute) {
      op.duration = op.parts.front().duration = Seconds(3e-3);
    }
  }
  const auto run = [&] { return simulate(unfold(costed, cluster).value().graph).value(); };
  std::vector<DeviceIndex> members;
  for (DeviceIndex device = 0; device < kNumRanks; ++device) {
    members.push_back(device);
  }
  const Seconds one = uncontended_time(
      cluster, collective_flows(cluster, {.members = members, .payload = Bytes(kBucketBytes)}));
  // Whatever is longer, compute or communication, runs without a gap; the other adds its last or first.
  const Seconds shorter = std::min(one, Seconds(3e-3));
  const Seconds expected = std::max(one, Seconds(3e-3)) * kNumLayers + shorter;
  if (std::abs(run().makespan / expected - 1) > 1e-9) {
    state.SkipWithError("not the time of a perfect overlap");
    return;
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(run());
  }
  state.counters["goal_ms"] = 1000;
  state.counters["activities"] = static_cast<double>(unfold(costed, cluster).value().graph.activities.size());
}
BENCHMARK(overlapping_all_reduces)
    ->Name("Simulate/full/96-times-3ms-and-48MiB-all_reduce-512")
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace portolan
