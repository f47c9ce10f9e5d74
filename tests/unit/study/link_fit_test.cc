#include "study/link_fit.h"

#include <gtest/gtest.h>

#include <random>

#include "plan/collectives/collective_flows.h"

namespace portolan {
namespace {

/// Four nodes of 8 GPUs with 4 cards; what is to be found is `efficiencies` and `steps`.
Hardware hardware(double nvlink, double nic, double intra_us, double inter_us) {
  Hardware hardware;
  hardware.name = "mine";
  hardware.num_nodes = 4;
  hardware.gpus_per_node = 8;
  hardware.nics_per_node = 4;
  hardware.nodes_per_pod = 4;
  hardware.device.memory = {Bytes(kGibi), ""};
  hardware.device.peak[Precision::kBf16] = {FlopsPerSecond(1e14), ""};
  hardware.device.memory_bandwidth = {BytesPerSecond(1e12), ""};
  hardware.device.gemm_efficiency = hardware.device.attention_gemm_efficiency =
      hardware.device.memory_efficiency = {0.5, ""};
  hardware.nvlink = {.bandwidth = {BytesPerSecond(300e9), ""}, .latency = {}, .efficiency = {nvlink, ""}};
  hardware.nic = {.bandwidth = {BytesPerSecond(25e9), ""}, .latency = {}, .efficiency = {nic, ""}};
  hardware.collective_base = {Seconds(35e-6), ""};
  hardware.intra_node_step = {Seconds(intra_us * 1e-6), ""};
  hardware.inter_node_step = {Seconds(inter_us * 1e-6), ""};
  return hardware;
}
Hardware guessed() {
  Hardware guess = hardware(0.5, 0.5, 1, 1);
  guess.collective_base.value = Seconds(0);
  return guess;
}

struct Measuring {
  std::vector<std::int64_t> sizes = {1 << 10, 1 << 14, 1 << 18, 1 << 20, 1 << 24, 1 << 26, 1 << 28, 1 << 30};
  double noise = 0;
};

/// What a cluster like `truth` measures, by the simulator.
MeasuredCollective measured(const Hardware& truth, CollectiveKind kind, std::int64_t num_nodes,
                            std::int64_t ranks_per_node, const Measuring& how = {}) {
  const Cluster cluster = Cluster::build(truth).value();
  std::mt19937_64 random(static_cast<std::uint64_t>(num_nodes * 100 + ranks_per_node));
  std::uniform_real_distribution<double> off(1 - how.noise, 1 + how.noise);
  MeasuredCollective collective{.file = "f", .kind = kind, .members = {}, .num_nodes = num_nodes, .rows = {}};
  for (std::int64_t node = 0; node < num_nodes; ++node) {
    for (std::int64_t place = 0; place < ranks_per_node; ++place) {
      collective.members.push_back(static_cast<DeviceIndex>(node * truth.gpus_per_node + place));
    }
  }
  for (const std::int64_t size : how.sizes) {
    const Seconds time = uncontended_time(
        cluster,
        collective_flows(cluster, {.kind = kind, .members = collective.members, .payload = Bytes(size)}));
    for (int repeat = 0; repeat < 2; ++repeat) {
      collective.rows.push_back({Bytes(size), time * off(random)});
    }
  }
  return collective;
}

double value_of(const LinkFit& fit, const std::string& figure) {
  for (const LinkConstant& constant : fit.constants) {
    if (constant.figure == figure) {
      return constant.value;
    }
  }
  ADD_FAILURE() << figure;
  return 0;
}

TEST(LinkFit, FindsWhatMadeTheMeasurements) {
  for (const double nvlink : {0.6, 0.85}) {
    for (const double nic : {0.35, 0.92}) {
      const Hardware truth = hardware(nvlink, nic, 4.5, 17);
      const LinkFit fit = fit_links({measured(truth, CollectiveKind::kAllReduce, 1, 8),
                                     measured(truth, CollectiveKind::kAllReduce, 4, 8),
                                     measured(truth, CollectiveKind::kAllGather, 1, 4),
                                     measured(truth, CollectiveKind::kShift, 2, 8),
                                     measured(truth, CollectiveKind::kAllToAll, 4, 8),
                                     measured(truth, CollectiveKind::kBroadcast, 2, 1)},
                                    guessed())
                              .value();
      EXPECT_NEAR(value_of(fit, "nvlink.efficiency"), nvlink, 0.002);
      EXPECT_NEAR(value_of(fit, "nic.efficiency"), nic, 0.002);
      EXPECT_NEAR(value_of(fit, "collective_base"), 35e-6, 0.2e-6);
      EXPECT_NEAR(value_of(fit, "intra_node_step"), 4.5e-6, 0.02e-6);
      EXPECT_NEAR(value_of(fit, "inter_node_step"), 17e-6, 0.1e-6);
      EXPECT_LT(fit.fitted.mean_pct, 0.2);
      EXPECT_LT(fit.held_back.mean_pct, 0.3);
      EXPECT_EQ(fit.num_rows, 6 * 16);
    }
  }
}

TEST(LinkFit, PredictsAsTheSimulatorDoes) {
  const Hardware truth = hardware(0.7, 0.8, 3, 12);
  const MeasuredCollective within = measured(truth, CollectiveKind::kAllReduce, 1, 8, {.noise = 0.2});
  const MeasuredCollective between = measured(truth, CollectiveKind::kReduceScatter, 3, 8, {.noise = 0.2});
  const LinkFit fit = fit_links({within, between}, guessed()).value();
  Hardware fitted = guessed();
  set_links(fit, "here", fitted);
  EXPECT_EQ(fitted.nic.efficiency.source, "here");
  EXPECT_EQ(fitted.nic.bandwidth, guessed().nic.bandwidth);
  const Cluster cluster = Cluster::build(fitted).value();
  double sum = 0;
  for (const MeasuredCollective* one : {&within, &between}) {
    for (const MeasuredCollective::Row& row : one->rows) {
      const Seconds time = uncontended_time(
          cluster,
          collective_flows(cluster, {.kind = one->kind, .members = one->members, .payload = row.size}));
      sum += 100 * std::abs(time / row.time - 1);
    }
  }
  EXPECT_NEAR(sum / static_cast<double>(fit.num_rows), fit.fitted.mean_pct, 1e-6);
}

TEST(LinkFit, NoiseIsInTheErrorsAndNotInTheConstants) {
  const Hardware truth = hardware(0.75, 0.9, 3, 12);
  const Measuring noisy{.noise = 0.1};
  const LinkFit fit = fit_links({measured(truth, CollectiveKind::kAllReduce, 1, 8, noisy),
                                 measured(truth, CollectiveKind::kAllReduce, 1, 2, noisy),
                                 measured(truth, CollectiveKind::kAllReduce, 4, 8, noisy)},
                                guessed())
                          .value();
  EXPECT_NEAR(value_of(fit, "nvlink.efficiency"), 0.75, 0.05);
  EXPECT_NEAR(value_of(fit, "nic.efficiency"), 0.9, 0.06);
  EXPECT_NEAR(value_of(fit, "inter_node_step"), 12e-6, 2e-6);
  EXPECT_GT(fit.fitted.mean_pct, 2);
  EXPECT_LT(fit.held_back.mean_pct, 9);  // 5 % is the noise alone
}

TEST(LinkFit, WhatNoRowTellsOfStays) {
  const Hardware truth = hardware(0.7, 0.8, 3, 12);
  const LinkFit large =
      fit_links({measured(truth, CollectiveKind::kAllReduce, 1, 8, {.sizes = {1 << 28, 1 << 30}})}, guessed())
          .value();
  ASSERT_EQ(large.constants.size(), 3U);  // no row crosses a card
  EXPECT_TRUE(large.constants[0].is_set);
  EXPECT_FALSE(large.constants[1].is_set);
  EXPECT_EQ(value_of(large, "collective_base"), 0);
  EXPECT_FALSE(large.constants[2].is_set);
  EXPECT_EQ(value_of(large, "intra_node_step"), 1e-6);
  EXPECT_NEAR(large.constants[0].value, 0.7, 0.02);
  Hardware known_base = guessed();
  known_base.collective_base = truth.collective_base;
  const LinkFit small =
      fit_links({measured(truth, CollectiveKind::kAllReduce, 4, 1, {.sizes = {8, 64, 512}})}, known_base)
          .value();
  EXPECT_EQ(small.constants[0].figure, "nic.efficiency");
  EXPECT_FALSE(small.constants[0].is_set);
  EXPECT_NEAR(small.constants[1].value, 12e-6, 0.1e-6);
  const auto none =
      fit_links({measured(truth, CollectiveKind::kAllReduce, 1, 8, {.sizes = {1 << 30}})}, guessed());
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("no constant follows"), std::string::npos);
}

TEST(LinkFit, OfOneNumberOfRanksTheBaseIsFittedAndTheStepStays) {
  const Hardware truth = hardware(0.7, 0.8, 3, 12);
  const LinkFit fit = fit_links({measured(truth, CollectiveKind::kAllReduce, 1, 8)}, guessed()).value();
  EXPECT_EQ(value_of(fit, "intra_node_step"), 1e-6);
  EXPECT_NEAR(value_of(fit, "collective_base"), 35e-6 + 14 * (3e-6 - 1e-6), 0.1e-6);
}

TEST(LinkFit, SendsWithinANodeTellOfStepsWhereNoSumsDo) {
  const Hardware truth = hardware(0.7, 0.8, 3, 12);
  Hardware slower_sends = truth;
  slower_sends.intra_node_step.value = Seconds(30e-6);
  const MeasuredCollective shift = measured(slower_sends, CollectiveKind::kShift, 1, 8);
  EXPECT_NEAR(value_of(fit_links({shift}, guessed()).value(), "intra_node_step"), 30e-6, 0.1e-6);
  const LinkFit both = fit_links({shift, measured(truth, CollectiveKind::kAllReduce, 1, 8),
                                  measured(truth, CollectiveKind::kAllReduce, 1, 4)},
                                 guessed())
                           .value();
  EXPECT_NEAR(value_of(both, "intra_node_step"), 3e-6, 0.05e-6);
}

TEST(LinkFit, FasterThanTheLinkIsSaid) {
  Hardware truth = hardware(0.9, 0.8, 3, 12);
  truth.nvlink.bandwidth.value = BytesPerSecond(450e9);
  const LinkFit fit = fit_links({measured(truth, CollectiveKind::kAllReduce, 1, 8)}, guessed()).value();
  EXPECT_TRUE(fit.constants[0].is_at_limit);
}

TEST(LinkFit, OneNodeWithEachNumberOfRanksIsLookedUp) {
  Hardware truth = hardware(0.7, 0.8, 3, 12);
  truth.num_nodes = 1;
  Hardware node = guessed();
  node.num_nodes = 1;
  node.collective_points = {{"all_reduce", 8, Bytes(1), Seconds(1)}, {"all_gather", 8, Bytes(1), Seconds(1)}};
  const std::vector<MeasuredCollective> of_all = {measured(truth, CollectiveKind::kAllReduce, 1, 2),
                                                  measured(truth, CollectiveKind::kAllReduce, 1, 4),
                                                  measured(truth, CollectiveKind::kAllReduce, 1, 8)};
  const LinkFit fit = fit_links(of_all, node).value();
  EXPECT_EQ(fit.points.size(), 3U * 8);
  set_links(fit, "here", node);
  EXPECT_EQ(node.collective_points.size(), 1U + 3 * 8);  // of the gather the old one stays
  EXPECT_EQ(node.collective_points[0].collective, "all_gather");
  const Cluster cluster = Cluster::build(node).value();
  const Seconds time = uncontended_time(
      cluster,
      collective_flows(cluster,
                       {.kind = CollectiveKind::kAllReduce, .members = {0, 1}, .payload = Bytes(1 << 20)}));
  EXPECT_NEAR(time / of_all[0].rows[6].time, 1, 1e-9);
  // Without 4 ranks nothing is looked up: their time would be taken for that of 8 or 2.
  EXPECT_TRUE(fit_links({of_all[0], of_all[2]}, node)->points.empty());
}

TEST(PlaceCollectiveRows, OnTheFirstGpusOfTheFirstNodes) {
  const auto row = [](CollectiveKind kind, std::int64_t ranks, std::int64_t nodes, std::int64_t size) {
    return CollectiveRow{.line = 2,
                         .gpu = "",
                         .inter_link = "",
                         .kind = kind,
                         .num_ranks = ranks,
                         .num_nodes = nodes,
                         .size = Bytes(size),
                         .time = Seconds(1)};
  };
  const auto placed = place_collective_rows(
      {row(CollectiveKind::kAllReduce, 4, 2, 8), row(CollectiveKind::kAllReduce, 2, 1, 8),
       row(CollectiveKind::kAllReduce, 4, 2, 16), row(CollectiveKind::kAllReduce, 5, 5, 8),  // of four nodes
       row(CollectiveKind::kAllReduce, 18, 2, 8)},                                           // 9 on a node
      guessed(), "t.csv");
  ASSERT_EQ(placed.size(), 2U);
  EXPECT_EQ(placed[0].members, (std::vector<DeviceIndex>{0, 1}));
  EXPECT_EQ(placed[1].members, (std::vector<DeviceIndex>{0, 1, 8, 9}));
  EXPECT_EQ(placed[1].num_nodes, 2);
  ASSERT_EQ(placed[1].rows.size(), 2U);
  EXPECT_EQ(placed[1].rows[1].size, Bytes(16));
}

NcclTest ran_on(std::vector<NcclTestRank> ranks) {
  return {.line = 1,
          .kind = CollectiveKind::kAllReduce,
          .ranks = std::move(ranks),
          .rows = {{5, Bytes(8), Seconds(1)}}};
}

TEST(PlaceNcclTest, HostsAreNodesAndDevicesPlaces) {
  const auto placed = place_nccl_test(
      ran_on({{2, "b", 6, "06", ""}, {3, "a", 1, "01", ""}, {4, "b", 2, "02", ""}}), guessed(), "f.txt");
  ASSERT_TRUE(placed);
  EXPECT_EQ(placed->members, (std::vector<DeviceIndex>{6, 2, 9}));
  EXPECT_EQ(placed->num_nodes, 2);
  // Each process sees one device.
  EXPECT_EQ(place_nccl_test(ran_on({{2, "a", 0, "c1", ""}, {3, "a", 0, "07", ""}}), guessed(), "f")->members,
            (std::vector<DeviceIndex>{1, 0}));
}

TEST(PlaceNcclTest, RefusesWhatTheHardwareIsNot) {
  std::vector<NcclTestRank> nine, hosts;
  for (std::int64_t i = 0; i < 9; ++i) {
    nine.push_back({i + 4, "a", i, std::to_string(i), ""});
    hosts.push_back({i + 4, "n" + std::to_string(i), 0, "0", ""});
  }
  const struct {
    std::vector<NcclTestRank> ranks;
    const char* message;
  } cases[] = {{nine, "f.txt:4: 9 ranks on host a, but a node of mine has 8 GPUs"},
               {hosts, "f.txt:4: ranks on 9 hosts, but mine has 4 nodes"},
               {{{2, "a", 0, "07", ""}, {3, "a", 0, "07", ""}}, "two ranks share a GPU of host a"}};
  for (const auto& [ranks, message] : cases) {
    const auto placed = place_nccl_test(ran_on(ranks), guessed(), "f.txt");
    ASSERT_FALSE(placed);
    EXPECT_NE(placed.error().message.find(message), std::string::npos) << placed.error().message;
  }
}

}  // namespace
}  // namespace portolan
