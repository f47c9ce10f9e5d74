#include "sim/solver_depth.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <string>
#include <vector>

#include "sim/simulator.h"
#include "sim/worker_pool.h"
#include "tests/unit/sim/activity_graph_builder.h"

namespace portolan {
namespace {

constexpr std::int32_t kNumLinks = 10'000;

ActivityGraph links_in_paths_of(std::int32_t links_per_path, std::int32_t step) {
  testing::ActivityGraphBuilder graph;
  for (std::int32_t link = 0; link < kNumLinks; ++link) graph.link(1e9);
  for (std::int32_t first = 0; first + links_per_path <= kNumLinks; first += step) {
    std::vector<std::int32_t> links;
    for (std::int32_t i = 0; i < links_per_path; ++i) links.push_back(first + i);
    graph.transfer(graph.path(links), 1e9, 0);
  }
  return graph.build();
}

/// "fine" or the error, from a process with a stack of 512 KiB: 128 bytes for each of some 2,000 links.
std::string outcome_with_a_small_stack(const ActivityGraph& graph, bool may_grow) {
  const auto outcome = map_in_workers(1, 1, [&](int) {
    rlimit stack{};
    getrlimit(RLIMIT_STACK, &stack);
    stack.rlim_cur = 512 * 1024;
    stack.rlim_max = may_grow ? stack.rlim_max : stack.rlim_cur;
    setrlimit(RLIMIT_STACK, &stack);
    const Result<ActivityTimes> times = simulate(graph);
    if (!times && times.error().kind != ErrorKind::kInfeasible) {
      return "not infeasible: " + times.error().message;
    }
    return times ? std::string("fine") : times.error().message;
  });
  return outcome ? outcome->front() : outcome.error().message;
}

TEST(SolverDepth, AChainOfLinksTooLongForTheStackIsAnError) {
  EXPECT_EQ(outcome_with_a_small_stack(links_in_paths_of(2, 1), false),
            "10000 links tied together by paths need 1506 KiB of stack (allowed: 512 KiB): use a coarser "
            "fidelity");
}

TEST(SolverDepth, TheStackGrowsWhereItMay) {
  EXPECT_EQ(outcome_with_a_small_stack(links_in_paths_of(2, 1), true), "fine");
}

TEST(SolverDepth, AsManyLinksInSmallGroupsAreFine) {
  EXPECT_EQ(outcome_with_a_small_stack(links_in_paths_of(2, 2), false), "fine");
}

TEST(SolverDepth, AChainThatFitsIsFine) {
  const ActivityGraph graph = links_in_paths_of(2, 1);
  const Result<ActivityTimes> times = simulate(graph);
  ASSERT_TRUE(times) << times.error().message;
  EXPECT_NEAR(times->makespan.value, 2, 1e-9);
}

}  // namespace
}  // namespace portolan
