#include <gtest/gtest.h>

#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "sim/simulator.h"
#include "sim/worker_pool.h"
#include "tests/unit/sim/activity_graph_builder.h"

namespace portolan {
namespace {

/// Transfers that share links unevenly, so that every time has bits to lose.
ActivityGraph crowded_graph(std::uint64_t seed, std::int32_t num_links, std::int32_t num_transfers) {
  RandomStream random(seed);
  testing::ActivityGraphBuilder graph;
  const auto any_link = [&] {
    return static_cast<std::int32_t>(random.next_below(static_cast<std::uint64_t>(num_links)));
  };
  for (std::int32_t i = 0; i < num_links; ++i) graph.link(1e9 * (1 + random.next_uniform()));
  for (std::int32_t i = 0; i < num_transfers; ++i) {
    const std::int32_t first = any_link();
    const std::int32_t path = graph.path({first, any_link(), any_link()});
    const double bytes = 1e8 * random.next_uniform();
    const std::int32_t transfer = graph.transfer(path, bytes, 1e-5 * random.next_uniform());
    const std::int32_t compute = graph.compute(i, 0.1 * random.next_uniform());
    graph.depend(compute, transfer);
    if (i > 3) graph.depend(2 * (i - 3), compute);
  }
  return graph.build();
}

std::string bytes_of(const ActivityTimes& times) {
  std::string bytes;
  for (const std::vector<double>* list : {&times.start_s, &times.end_s}) {
    bytes.append(reinterpret_cast<const char*>(list->data()), list->size() * sizeof(double));
  }
  return bytes;
}

std::string simulated_bytes(const ActivityGraph& graph) {
  const Result<ActivityTimes> times = simulate(graph);
  return times ? bytes_of(*times) : times.error().message;
}

/// The answer of a process that has simulated only this graph (or what its parent had when it was forked).
std::string bytes_from_a_child(const ActivityGraph& graph) {
  const Result<std::vector<std::string>> answers =
      map_in_workers(1, 1, [&](int) { return simulated_bytes(graph); });
  return answers ? answers->front() : answers.error().message;
}

// First in this file, and each test runs in a process of its own under ctest: no engine exists before.
TEST(EngineReuse, TheSameGraphGivesTheSameBitsWhateverCameBefore) {
  const ActivityGraph small = crowded_graph(1, 7, 40);
  const ActivityGraph large = crowded_graph(2, 300, 400);
  const ActivityGraph other_shape = crowded_graph(3, 20, 5);
  const std::string small_alone = bytes_from_a_child(small);
  const std::string large_alone = bytes_from_a_child(large);
  ASSERT_EQ(small_alone.size(), 2 * 80 * sizeof(double)) << small_alone;

  EXPECT_EQ(simulated_bytes(small), small_alone);
  EXPECT_EQ(simulated_bytes(large), large_alone);  // the pool of links grows
  EXPECT_EQ(simulated_bytes(small), small_alone);  // with a larger pool and other bandwidths before
  simulated_bytes(other_shape);
  EXPECT_EQ(simulated_bytes(large), large_alone);
  for (int repeat = 0; repeat < 50; ++repeat) ASSERT_EQ(simulated_bytes(small), small_alone);
}

TEST(EngineReuse, AChildMayUseTheEngineOfItsParent) {
  const ActivityGraph graph = crowded_graph(4, 7, 40);
  const std::string in_parent = simulated_bytes(graph);
  EXPECT_TRUE(simulation_engine_exists());
  EXPECT_EQ(bytes_from_a_child(graph), in_parent);
  EXPECT_EQ(simulated_bytes(graph), in_parent);
}

TEST(EngineReuse, AnHourOfSimulatedTimeBeforeCostsNoDigit) {
  const ActivityGraph graph = crowded_graph(5, 7, 40);
  const std::string alone = bytes_from_a_child(graph);
  testing::ActivityGraphBuilder long_graph;
  long_graph.compute(0, 1e9);
  EXPECT_EQ(simulate(long_graph.build())->makespan, Seconds(1e9));
  EXPECT_EQ(simulated_bytes(graph), alone);
}

TEST(EngineReuse, TheEngineTakesOverNoSignal) {
  std::vector<void (*)(int)> before;
  std::vector<void (*)(int)> after;
  const auto note_handlers = [](std::vector<void (*)(int)>& handlers) {
    for (const int signal : {SIGINT, SIGSEGV, SIGBUS, SIGTERM}) {
      struct sigaction action {};
      sigaction(signal, nullptr, &action);
      handlers.push_back(action.sa_handler);
    }
  };
  note_handlers(before);
  ASSERT_TRUE(simulate(crowded_graph(7, 7, 40)));
  note_handlers(after);
  EXPECT_EQ(after, before);
}

TEST(EngineReuse, ARefusedGraphLeavesNoTrace) {
  const ActivityGraph graph = crowded_graph(6, 7, 40);
  const std::string before = simulated_bytes(graph);
  ActivityGraph bad = graph;
  bad.num_predecessors[0] = 5;
  EXPECT_FALSE(simulate(bad));
  EXPECT_EQ(simulated_bytes(graph), before);
}

}  // namespace
}  // namespace portolan
