#include <gtest/gtest.h>

#include "sample_hardware.h"
#include "topology/cluster.h"

namespace portolan {
namespace {

double bisection_gb_per_s(const Hardware& hardware) {
  return Cluster::build(hardware).value().bisection_bandwidth().value / 1e9;
}

// Achieved: NVLink 200 GB/s, card 20 GB/s, trunk 40 GB/s.
TEST(Bisection, IsTheCardsOfHalfTheNodesWhereTrunksSuffice) {
  // A leaf's 16 trunks carry 640 GB/s, as much as its 32 cards; 8 leaves a pod.
  EXPECT_NEAR(bisection_gb_per_s(sample_hardware()), 8 * 32 * 20, 1e-6);
}

TEST(Bisection, IsTheTrunksOfAPodWhereTheyAreScarce) {
  Hardware hardware = sample_hardware();
  hardware.spines = 4;
  EXPECT_NEAR(bisection_gb_per_s(hardware), 8 * 4 * 40, 1e-6);
}

TEST(Bisection, IsTheCoreTrunksOfAGroupWhereTheyAreScarce) {
  // A group: 4 spines x 2 core switches x 80 GB/s.
  EXPECT_NEAR(bisection_gb_per_s(three_tier_hardware()), 4 * 2 * 80, 1e-6);
}

TEST(Bisection, IsThePcieOfHalfTheGpusWhereItIsScarce) {
  Hardware hardware = sample_hardware();
  hardware.pcie = hardware.nic;
  hardware.pcie->bandwidth.value = BytesPerSecond(10e9);  // 8 achieved
  EXPECT_NEAR(bisection_gb_per_s(hardware), 8 * 32 * 8, 1e-6);
  hardware.nics_per_node = 4;  // two GPUs share a card
  EXPECT_NEAR(bisection_gb_per_s(hardware), 4 * 32 * 16, 1e-6);
}

TEST(Bisection, CutsThroughAPodWhereHalvesAreNoWholePods) {
  Hardware hardware = sample_hardware();
  hardware.num_nodes = 3;
  hardware.nodes_per_pod = 2;
  hardware.spines = 1;
  // A half is one node. Alone in its pod it is behind one trunk, but its card (20) is scarcer than that (40).
  EXPECT_NEAR(bisection_gb_per_s(hardware), 8 * 20, 1e-6);
  hardware.trunk.bandwidth.value = BytesPerSecond(10e9);  // now the trunk is: 8
  EXPECT_NEAR(bisection_gb_per_s(hardware), 8 * 8, 1e-6);
}

TEST(Bisection, RoundsTheHalfDownInOnePod) {
  Hardware hardware = sample_hardware();
  hardware.num_nodes = 5;
  EXPECT_NEAR(bisection_gb_per_s(hardware), 8 * 2 * 20, 1e-6);
}

TEST(Bisection, OfOneNodeIsBetweenHalvesOfItsGpus) {
  Hardware hardware = sample_hardware();
  hardware.num_nodes = 1;
  EXPECT_NEAR(bisection_gb_per_s(hardware), 4 * 200, 1e-6);
  hardware.gpus_per_node = 1;
  hardware.nics_per_node = 1;
  EXPECT_EQ(bisection_gb_per_s(hardware), 0);
}

}  // namespace
}  // namespace portolan
