#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "plan/job_cluster.h"
#include "plan/lower.h"
#include "plan/place_nodes.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

struct PlacementCase {
  Scenario scenario;
  Strategy strategy;
};

/// Jobs of four to six nodes, uneven over three pods, with none or one to spare, whose trunks have a quarter
/// or a half of the cards' bandwidth; strategies with sums, sends and both between nodes.
std::vector<PlacementCase> small_jobs() {
  const std::vector<NodeList> jobs = {{0, 1, 2, 3, 4, 5},   {0, 3, 6, 1, 4, 7}, {0, 1, 3, 6, 7, 8},
                                      {8, 0, 5, 1, 4, 2},   {0, 3, 6, 1},       {7, 0, 1, 6, 3},
                                      {0, 4, 8, 3, 7, 2, 6}};
  const std::vector<Degrees> degrees = {{.data = 24},
                                        {.pipeline = 2, .data = 12},
                                        {.pipeline = 3, .data = 8},
                                        {.tensor = 4, .pipeline = 6},
                                        {.tensor = 2, .pipeline = 3, .data = 4},
                                        {.data = 16},
                                        {.pipeline = 2, .data = 8},
                                        {.pipeline = 4, .data = 4}};
  std::vector<PlacementCase> cases;
  for (const std::int64_t spines : {1, 2}) {
    for (const NodeList& nodes : jobs) {
      for (const Degrees& each : degrees) {
        Scenario scenario = tiny_scenario(each.tensor * each.pipeline * each.data);
        scenario.model.num_layers = 12;
        scenario.global_batch = 48;
        scenario.hardware.num_nodes = 9;
        scenario.hardware.nodes_per_pod = 3;
        scenario.hardware.spines = spines;
        scenario.hardware.trunk = scenario.hardware.nic;
        scenario.hardware.trunk.bandwidth.value = BytesPerSecond(7.5e9);
        scenario.job_nodes = nodes;
        const std::int64_t needed = nodes_filled(scenario.num_gpus, scenario.hardware);
        if (needed <= std::ssize(nodes) && needed + 1 >= std::ssize(nodes)) {
          const Strategy strategy = sample_strategy(scenario, each);
          cases.push_back({std::move(scenario), strategy});
        }
      }
    }
  }
  return cases;
}

/// The least load of all orders, by looking at each.
LinkLoad least_load(const Scenario& scenario, const Program& program) {
  const Cluster machine = Cluster::build(scenario.hardware).value();
  const std::vector<TrafficClass> traffic = node_traffic(program, job_cluster(scenario).value());
  NodeList nodes = scenario.job_nodes;
  std::sort(nodes.begin(), nodes.end());
  LinkLoad least = LinkContention(traffic, machine, nodes).load();
  while (std::next_permutation(nodes.begin(), nodes.end())) {
    const LinkLoad load = LinkContention(traffic, machine, nodes).load();
    least = load.is_less_than(least) ? load : least;
  }
  return least;
}

TEST(PlaceNodesProperty, GivesOrdersOfTheJobsNodesThatAreNoWorseThanItsOwn) {
  int gained = 0;
  for (const PlacementCase& each : small_jobs()) {
    const Program program = lower(each.scenario, each.strategy);
    const std::vector<NodeOrder> orders = place_nodes(each.scenario, program).value();
    const std::set<std::int32_t> of_job(each.scenario.job_nodes.begin(), each.scenario.job_nodes.end());
    ASSERT_EQ(std::ssize(orders[0].nodes), nodes_filled(each.scenario.num_gpus, each.scenario.hardware));
    EXPECT_TRUE(std::equal(orders[0].nodes.begin(), orders[0].nodes.end(), each.scenario.job_nodes.begin()));
    for (std::size_t i = 0; i < orders.size(); ++i) {
      const std::set<std::int32_t> used(orders[i].nodes.begin(), orders[i].nodes.end());
      EXPECT_EQ(used.size(), orders[0].nodes.size());
      EXPECT_TRUE(std::includes(of_job.begin(), of_job.end(), used.begin(), used.end()));
      EXPECT_TRUE(i == 0 || orders[i].load.is_less_than(orders[0].load));
      EXPECT_TRUE(i < 2 || !orders[i].load.is_less_than(orders[i - 1].load));
    }
    EXPECT_EQ(place_nodes(each.scenario, program).value(), orders) << "not the same twice";
    gained += orders.size() > 1 ? 1 : 0;
  }
  EXPECT_GT(gained, 10);
}

TEST(PlaceNodesProperty, FindsTheLeastLoadOfSmallJobs) {
  for (const PlacementCase& each : small_jobs()) {
    const Program program = lower(each.scenario, each.strategy);
    const std::vector<NodeOrder> orders = place_nodes(each.scenario, program).value();
    const LinkLoad best = orders.size() > 1 ? orders[1].load : orders[0].load;
    const LinkLoad least = least_load(each.scenario, program);
    EXPECT_NEAR(best.busiest.value, least.busiest.value, 1e-9 * least.busiest.value)
        << short_name(each.strategy) << " on " << format_node_list(each.scenario.job_nodes);
  }
}

TEST(PlaceNodesProperty, LoadsAreKeptAsNodesChangePlaces) {
  for (const PlacementCase& each : small_jobs()) {
    const Cluster machine = Cluster::build(each.scenario.hardware).value();
    const std::vector<TrafficClass> traffic =
        node_traffic(lower(each.scenario, each.strategy), job_cluster(each.scenario).value());
    LinkContention kept(traffic, machine, each.scenario.job_nodes);
    for (std::size_t a = 0; a < kept.num_used(); ++a) {
      for (std::size_t b = a + 1; b < each.scenario.job_nodes.size(); ++b) {
        kept.swap(a, b);
        const LinkLoad fresh = LinkContention(traffic, machine, kept.nodes()).load();
        ASSERT_NEAR(kept.load().busiest.value, fresh.busiest.value, 1e-9 * fresh.busiest.value);
        ASSERT_NEAR(kept.load().crowding, fresh.crowding, 1e-9 * fresh.crowding);
      }
    }
  }
}

}  // namespace
}  // namespace portolan
