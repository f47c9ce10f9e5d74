#include "plan/share_changes.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sample_scenarios.h"

namespace portolan {
namespace {

using enum ImpairmentKind;

Cluster cluster_with(const Condition& condition) {
  Hardware hardware = small_hardware();
  hardware.condition = condition;
  return Cluster::build(hardware).value();
}

/// "1 gpu5 0.5; 2 node0.nic0->pod0.leaf0 1": time, part and share of each change.
std::string in_words(const Cluster& cluster, const std::vector<ClusterEvent>& events) {
  EXPECT_TRUE(check_events(cluster, events));
  std::string text;
  for (const ShareChange& change : share_changes(cluster, events)) {
    const bool of_gpu = change.kind == ShareChange::Kind::kGpu;
    const std::string part = of_gpu ? "gpu" + std::to_string(change.index) : cluster.link_name(change.index);
    const auto plain = [](double number) {
      std::string digits = std::to_string(number);
      digits.erase(digits.find_last_not_of('0') + 1);
      return digits.back() == '.' ? digits.substr(0, digits.size() - 1) : digits;
    };
    text += (text.empty() ? "" : "; ") + plain(change.at.value) + " " + part + " " + plain(change.share);
  }
  return text;
}

TEST(ShareChanges, MultiplyWhatIsUnderWayTogether) {
  const Cluster cluster = cluster_with({});
  const Impairment slow{kSlowGpu, "node1.gpu1", 0.5};
  const Impairment link{kSlowLink, "node0.nic0->pod0.leaf0", 0.5};
  EXPECT_EQ(in_words(cluster, {}), "");
  EXPECT_EQ(in_words(cluster, {{slow}}), "0 gpu5 0.5");
  EXPECT_EQ(in_words(cluster, {{slow, Seconds(1)}}), "1 gpu5 0.5");
  EXPECT_EQ(in_words(cluster, {{slow, Seconds(1), Seconds(2)}}), "1 gpu5 0.5; 3 gpu5 1");
  EXPECT_EQ(in_words(cluster, {{slow, Seconds(2), Seconds(2)}, {link, Seconds(1)}}),
            "1 node0.nic0->pod0.leaf0 0.5; 2 gpu5 0.5; 4 gpu5 1");
  EXPECT_EQ(in_words(cluster, {{slow, Seconds(1), Seconds(3)}, {slow, Seconds(2), Seconds(3)}}),
            "1 gpu5 0.5; 2 gpu5 0.25; 4 gpu5 0.5; 5 gpu5 1");
  // One ends as the other begins: nothing changes then.
  EXPECT_EQ(in_words(cluster, {{slow, Seconds(1), Seconds(1)}, {slow, Seconds(2), Seconds(1)}}),
            "1 gpu5 0.5; 3 gpu5 1");
  EXPECT_EQ(in_words(cluster, {{{kSlowGpu, "node1.gpu1", 1}, Seconds(1)}}), "");
  // What stops the job changes no rate.
  EXPECT_EQ(in_words(cluster, {{{kFailedNic, "node0.nic0"}}, {{kFailedNode, "node1"}, Seconds(1)}}), "");
}

TEST(ShareChanges, KnowWhichLinksAnEventTouches) {
  const Cluster cluster = cluster_with({});
  const auto names = [&](const Impairment& impairment) {
    std::string text;
    for (const LinkIndex link : links_touched(cluster, {impairment})) {
      text += (text.empty() ? "" : " ") + cluster.link_name(link);
    }
    return text;
  };
  EXPECT_EQ(names({kFailedNic, "node1.nic0"}), "node1.nic0->pod0.leaf0 pod0.leaf0->node1.nic0");
  EXPECT_EQ(names({kSlowLink, "pod0.leaf0->node1.nic0", 0.5}), "pod0.leaf0->node1.nic0");
  EXPECT_EQ(names({kSlowGpu, "node1.gpu0", 0.5}), "");
  EXPECT_EQ(names({kFailedNode, "node1"}), "");
}

TEST(ShareChanges, RefuseWhatTheClusterDoesNotHave) {
  const Cluster cluster = cluster_with({{kSlowGpu, "node1.gpu1", 0.5}});
  const auto error_of = [&](const ClusterEvent& event) {
    const Result<void> checked = check_events(cluster, std::vector{event});
    return checked ? std::string() : checked.error().message.substr(0, 60);
  };
  EXPECT_EQ(error_of({{kSlowGpu, "node2.gpu0", 0.5}}),
            "slow-gpu node2.gpu0 0.5: the cluster has no such GPU (2 node");
  // Slower still: both shares count.
  EXPECT_EQ(error_of({{kSlowGpu, "node1.gpu1", 0.5}}), "");
}

}  // namespace
}  // namespace portolan
