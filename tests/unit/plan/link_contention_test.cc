#include "plan/link_contention.h"

#include <gtest/gtest.h>

#include "sample_scenarios.h"

namespace portolan {
namespace {

/// 4 nodes of 4 GPUs and 4 cards of 10 GB/s in pods of 2; each leaf has a trunk of 5 GB/s to the one spine.
Hardware two_pods() {
  Hardware hardware = small_hardware();
  hardware.num_nodes = 4;
  hardware.nodes_per_pod = 2;
  hardware.spines = 1;
  hardware.trunk = hardware.nic;
  hardware.trunk.bandwidth.value = BytesPerSecond(5e9);
  return hardware;
}

/// GPU 0 of a node to GPU 0 of another.
Flow between(std::int32_t from, std::int32_t to, double bytes) {
  return {.source = 4 * from, .destination = 4 * to, .bytes = bytes};
}

TEST(LinkContention, IsTheBusiestLinkOfEachClass) {
  const Cluster machine = Cluster::build(two_pods()).value();
  // 10 GB from node 0 to each of 1 and 2, then 20 GB from 2 to 3: node 0's card takes 2 s, its trunk 2 s; the
  // other class keeps cards of the second pod busy for 2 s.
  const std::vector<TrafficClass> traffic = {{.flows = {between(0, 1, 10e9), between(0, 2, 10e9)}},
                                             {.flows = {between(2, 3, 20e9)}}};
  LinkContention contention(traffic, machine, {0, 1, 2, 3});
  EXPECT_DOUBLE_EQ(contention.load().busiest.value, 2 + 2);
  // Seconds: card up 2, cards down 1 and 1, trunks 2 and 2; then two cards of 2.
  EXPECT_DOUBLE_EQ(contention.load().crowding, 4 + 1 + 1 + 4 + 4 + 4 + 4);
}

TEST(LinkContention, FollowsNodesThatChangePlaces) {
  const Cluster machine = Cluster::build(two_pods()).value();
  const std::vector<TrafficClass> traffic = {{.flows = {between(0, 2, 10e9), between(1, 3, 10e9)}}};
  LinkContention contention(traffic, machine, {0, 1, 2, 3});
  EXPECT_DOUBLE_EQ(contention.load().busiest.value, 4);  // both over one trunk of 5 GB/s
  contention.swap(1, 2);                                 // 0 and 2 now share a pod, and so do 1 and 3
  EXPECT_EQ(contention.nodes(), (NodeList{0, 2, 1, 3}));
  EXPECT_DOUBLE_EQ(contention.load().busiest.value, 1);
}

TEST(LinkContention, LetsASpareNodeIn) {
  const Cluster machine = Cluster::build(two_pods()).value();
  const std::vector<TrafficClass> traffic = {{.flows = {between(0, 1, 10e9)}}};
  LinkContention contention(traffic, machine, {0, 2, 1});
  EXPECT_EQ(contention.num_used(), 2u);
  EXPECT_DOUBLE_EQ(contention.load().busiest.value, 2);
  contention.swap(1, 2);
  EXPECT_DOUBLE_EQ(contention.load().busiest.value, 1);
}

TEST(LinkLoad, IsLessByMoreThanRounding) {
  const LinkLoad load{.busiest = Seconds(1), .crowding = 5};
  EXPECT_FALSE(load.is_less_than(load));
  EXPECT_TRUE((LinkLoad{Seconds(0.5), 9}).is_less_than(load));
  EXPECT_FALSE((LinkLoad{Seconds(1 - 1e-12), 6}).is_less_than(load));
  EXPECT_TRUE((LinkLoad{Seconds(1 + 1e-12), 4}).is_less_than(load));
}

}  // namespace
}  // namespace portolan
