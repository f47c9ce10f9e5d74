#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "plan/collectives/collective_flows.h"
#include "tests/property/collectives/small_groups.h"

namespace portolan {
namespace {

constexpr double kPayload = 1 << 20;
constexpr double kSlack = 1 - 1e-12;

constexpr CollectiveAlgorithm kAlgorithms[] = {CollectiveAlgorithm::kRing, CollectiveAlgorithm::kTree,
                                               CollectiveAlgorithm::kHierarchical};

struct Case {
  const Cluster& cluster;
  std::vector<DeviceIndex> members;
  CollectiveKind kind;
  CollectiveAlgorithm algorithm;

  FlowSet flows(double payload = kPayload) const {
    return collective_flows(cluster, {.kind = kind,
                                      .algorithm = algorithm,
                                      .members = members,
                                      .payload = Bytes(static_cast<std::int64_t>(payload))});
  }
  double time_s(double payload = kPayload) const { return uncontended_time(cluster, flows(payload)).value; }
  double num_members() const { return static_cast<double>(members.size()); }
  std::string name() const {
    return std::string(algorithm_name(algorithm)) + " " + std::string(collective_name(kind)) + ", " +
           describe(cluster.hardware(), members);
  }
};

/// Calls `check(case)` for every kind of collective but the all-to-all, whose flows are bundles, and every
/// algorithm.
template <typename Check>
void for_each_collective(const Cluster& cluster, const std::vector<DeviceIndex>& members,
                         const Check& check) {
  for (int kind = 0; kind < kNumCollectiveKinds; ++kind) {
    for (const CollectiveAlgorithm algorithm : kAlgorithms) {
      const Case one{cluster, members, static_cast<CollectiveKind>(kind), algorithm};
      if (one.kind != CollectiveKind::kAllToAll) {
        check(one);
      }
    }
  }
}

/// On many groups of many clusters.
template <typename Check>
void for_each_case(const Check& check) {
  for (const Hardware& hardware : small_hardware_with_steps()) {
    const Cluster cluster = Cluster::build(hardware).value();
    for (const std::vector<DeviceIndex>& members : small_groups(hardware)) {
      for_each_collective(cluster, members, check);
    }
  }
}

/// Bytes out of each member or node, or into each.
template <typename Key>
std::map<std::int64_t, double> sums(const FlowSet& set, const Key& key) {
  std::map<std::int64_t, double> bytes;
  for (const Flow& flow : set.flows) {
    bytes[key(flow)] += flow.bytes;
  }
  return bytes;
}
double largest(const std::map<std::int64_t, double>& bytes) {
  double most = 0;
  for (const auto& [who, sum] : bytes) {
    most = std::max(most, sum);
  }
  return most;
}

/// What the member that sends most must send at least, in payloads: no algorithm does with less (Patarasuk
/// and Yuan, JPDC 2009; Chan et al., Concurrency 19, 2007).
double lower_bound(CollectiveKind kind, double n) {
  switch (kind) {
    case CollectiveKind::kAllReduce:
      return 2 * (n - 1) / n;
    case CollectiveKind::kReduceScatter:
    case CollectiveKind::kAllGather:
    case CollectiveKind::kAllToAll:
    case CollectiveKind::kBroadcast:  // n - 1 members must each receive the payload
      return (n - 1) / n;
    case CollectiveKind::kShift:
      return 1;
  }
  return 0;
}

TEST(CollectiveProperty, MovesTheBytesOfItsDefinition) {
  for_each_case([](const Case& one) {
    double sum = 0;
    for (const Flow& flow : one.flows().flows) {
      EXPECT_GT(flow.bytes, 0) << one.name();
      EXPECT_NE(flow.source, flow.destination) << one.name();
      sum += flow.bytes;
    }
    EXPECT_NEAR(sum / (lower_bound(one.kind, one.num_members()) * one.num_members() * kPayload), 1, 1e-12)
        << one.name();
  });
}

TEST(CollectiveProperty, SendsNoLessThanTheLowerBound) {
  for_each_case([](const Case& one) {
    const FlowSet set = one.flows();
    const auto out = sums(set, [](const Flow& flow) { return flow.source; });
    const auto in = sums(set, [](const Flow& flow) { return flow.destination; });
    const double bound = kSlack * lower_bound(one.kind, one.num_members()) * kPayload;
    EXPECT_GE(largest(out), bound) << one.name();
    EXPECT_GE(largest(in), bound) << one.name();
    for (const DeviceIndex member : one.members) {
      const bool sends = out.contains(member);
      const bool receives = in.contains(member);
      EXPECT_TRUE(sends || receives) << one.name();
      switch (one.kind) {
        case CollectiveKind::kAllReduce:
          EXPECT_TRUE(sends && receives) << one.name();
          break;
        case CollectiveKind::kBroadcast:
          if (member != *std::min_element(one.members.begin(), one.members.end())) {
            EXPECT_GE(in.at(member), kSlack * kPayload) << one.name();
          }
          break;
        default:  // every member has its own to send, and all others' to receive
          EXPECT_GE(out.at(member), bound) << one.name();
          EXPECT_GE(in.at(member), bound) << one.name();
      }
    }
  });
}

/// Nodes are members of a group too: their cards carry no less than a lower bound, in no less than their
/// time.
TEST(CollectiveProperty, TakesAtLeastTheWireTimeOfTheBusiestNode) {
  for_each_case([](const Case& one) {
    FlowSet between;
    for (const Flow& flow : one.flows().flows) {
      if (one.cluster.node_of(flow.source) != one.cluster.node_of(flow.destination)) {
        between.flows.push_back(flow);
      }
    }
    const auto out = sums(between, [&](const Flow& flow) { return one.cluster.node_of(flow.source); });
    const Hardware& hardware = one.cluster.hardware();
    const double cards = hardware.nic.bandwidth.value.value * static_cast<double>(hardware.nics_per_node);
    std::map<std::int64_t, int> nodes;
    for (const DeviceIndex member : one.members) {
      ++nodes[one.cluster.node_of(member)];
    }
    if (nodes.size() > 1 && one.kind != CollectiveKind::kShift) {
      EXPECT_GE(largest(out), kSlack * lower_bound(one.kind, static_cast<double>(nodes.size())) * kPayload)
          << one.name();
    }
    EXPECT_GE(one.time_s(), kSlack * largest(out) / cards) << one.name();
  });
}

TEST(CollectiveProperty, TreesSendNoNodeMoreThanThePayloadEachWay) {
  for_each_case([](const Case& one) {
    if (one.algorithm != CollectiveAlgorithm::kTree ||
        (one.kind != CollectiveKind::kAllReduce && one.kind != CollectiveKind::kBroadcast)) {
      return;
    }
    FlowSet between;
    for (const Flow& flow : one.flows().flows) {
      if (one.cluster.node_of(flow.source) != one.cluster.node_of(flow.destination)) {
        between.flows.push_back(flow);
      }
    }
    const double most = (one.kind == CollectiveKind::kAllReduce ? 2 : 1) * kPayload / kSlack;
    EXPECT_LE(largest(sums(between, [&](const Flow& flow) { return one.cluster.node_of(flow.source); })),
              most)
        << one.name();
    EXPECT_LE(largest(sums(between, [&](const Flow& flow) { return one.cluster.node_of(flow.destination); })),
              most)
        << one.name();
  });
}

TEST(CollectiveProperty, GrowsWithThePayload) {
  for_each_case([](const Case& one) {
    const double latency = one.flows().latency.value;
    EXPECT_GT(one.time_s(), latency) << one.name();
    EXPECT_NEAR((one.time_s(2 * kPayload) - latency) / (one.time_s() - latency), 2, 1e-9) << one.name();
  });
}

TEST(CollectiveProperty, SlowerLinksAndStepsTakeLonger) {
  for (const Hardware& hardware : small_hardware_with_steps()) {
    Hardware slower = hardware;
    slower.nic.bandwidth.value = hardware.nic.bandwidth.value / 2;
    slower.nvlink.bandwidth.value = hardware.nvlink.bandwidth.value / 1000;
    slower.collective_base.value = hardware.collective_base.value * 2;
    slower.intra_node_step.value = hardware.intra_node_step.value * 2;
    slower.inter_node_step.value = hardware.inter_node_step.value * 2;
    const Cluster cluster = Cluster::build(hardware).value();
    const Cluster slow_cluster = Cluster::build(slower).value();
    for (const std::vector<DeviceIndex>& members : small_groups(hardware)) {
      for_each_collective(cluster, members, [&](const Case& one) {
        const Case slow{slow_cluster, one.members, one.kind, one.algorithm};
        EXPECT_GT(slow.time_s(), one.time_s()) << one.name();
      });
    }
  }
}

TEST(CollectiveProperty, HierarchyIsNeverSlowerThanTheRing) {
  for_each_case([](const Case& one) {
    if (one.algorithm == CollectiveAlgorithm::kHierarchical) {
      Case ring = one;
      ring.algorithm = CollectiveAlgorithm::kRing;
      EXPECT_LE(kSlack * one.time_s(), ring.time_s()) << one.name();
    }
  });
}

TEST(CollectiveProperty, LatencyOfTreesGrowsWithTheLogarithmOfTheNodes) {
  Hardware hardware = small_hardware_with_steps().back();
  for (std::int64_t doublings = 0; doublings <= 8; ++doublings) {
    hardware.num_nodes = std::int64_t{1} << doublings;
    hardware.gpus_per_node = 4;
    hardware.nics_per_node = 4;
    hardware.nodes_per_pod = hardware.num_nodes;
    hardware.pods_per_group = 0;
    hardware.core_switches = 0;
    const Cluster cluster = Cluster::build(hardware).value();
    std::vector<DeviceIndex> members;
    for (DeviceIndex device = 0; device < cluster.num_devices(); ++device) {
      members.push_back(device);
    }
    const Case tree{cluster, members, CollectiveKind::kAllReduce, CollectiveAlgorithm::kTree};
    // Up and down: three steps of 3 s in a node, one of 50 s a doubling; 7 s at the outset.
    EXPECT_DOUBLE_EQ(tree.flows().latency.value, 2 * (9 + 50 * static_cast<double>(doublings)) + 7);
  }
}

}  // namespace
}  // namespace portolan
