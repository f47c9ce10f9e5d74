#include <gtest/gtest.h>

#include <map>

#include "plan/collectives/collective_flows.h"
#include "tests/property/collectives/small_groups.h"

namespace portolan {
namespace {

/// The busiest link's time when every pair exchanges its share.
double all_pairs_time_s(const Cluster& cluster, const std::vector<DeviceIndex>& members, double share) {
  std::map<LinkIndex, double> bytes;
  for (const DeviceIndex source : members) {
    for (const DeviceIndex destination : members) {
      for (const LinkIndex link : cluster.route(source, destination).links) {
        bytes[link] += share;
      }
    }
  }
  double longest = 0;
  for (const auto& [link, load] : bytes) {
    longest = std::max(longest, load / cluster.bandwidth(link).value);
  }
  return longest;
}

double sent_by(const FlowSet& set, DeviceIndex member) {
  double bytes = 0;
  for (const Flow& flow : set.flows) {
    bytes += flow.source == member ? flow.bytes : 0;
  }
  return bytes;
}

TEST(AllToAllProperty, BundlesTakeExactlyWhatAllPairsTake) {
  for (const Hardware& hardware : small_hardware_with_steps()) {
    const Cluster cluster = Cluster::build(hardware).value();
    for (const std::vector<DeviceIndex>& members : small_groups(hardware)) {
      const FlowSet set = collective_flows(
          cluster, {.kind = CollectiveKind::kAllToAll, .members = members, .payload = Bytes(1 << 20)});
      const double share = (1 << 20) / static_cast<double>(members.size());
      EXPECT_NEAR(
          (uncontended_time(cluster, set) - set.latency).value / all_pairs_time_s(cluster, members, share), 1,
          1e-12)
          << describe(hardware, members);
      // Within the node; same rail, other rail, each in the pod, in the group, beyond.
      EXPECT_LE(set.flows.size(), 7 * members.size());
    }
  }
}

// Where members lie evenly below one leaf a rail, no bundle needs another size than its payloads.
TEST(AllToAllProperty, EvenGroupsSendWhatTheyHold) {
  for (const Hardware& hardware : small_hardware_with_steps()) {
    if (hardware.nodes_per_pod != hardware.num_nodes || hardware.num_gpus() < 2) {
      continue;
    }
    const Cluster cluster = Cluster::build(hardware).value();
    const std::vector<DeviceIndex> members = small_groups(hardware).front();
    const auto n = static_cast<double>(members.size());
    const FlowSet set = collective_flows(
        cluster, {.kind = CollectiveKind::kAllToAll, .members = members, .payload = Bytes(1 << 20)});
    for (const DeviceIndex member : members) {
      EXPECT_NEAR(sent_by(set, member) / ((n - 1) / n * (1 << 20)), 1, 1e-12) << describe(hardware, members);
    }
  }
}

}  // namespace
}  // namespace portolan
