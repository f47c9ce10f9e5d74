#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "topology/placement.h"

namespace portolan {
namespace {

using Degrees = std::array<std::int32_t, kNumAxes>;
using Order = std::array<Axis, kNumAxes>;

std::size_t index_of(Axis axis) { return static_cast<std::size_t>(axis); }

/// Every combination of degrees from 1 to 3, and every order of the axes.
void for_all_placements(const std::function<void(const Degrees&, const Order&)>& check) {
  constexpr int kMaxDegree = 3;
  for (int code = 0; code < 243; ++code) {  // 3^5
    Degrees degrees{};
    int rest = code;
    for (std::int32_t& degree : degrees) {
      degree = 1 + rest % kMaxDegree;
      rest /= kMaxDegree;
    }
    Order order = {Axis::kTensor, Axis::kContext, Axis::kExpert, Axis::kData, Axis::kPipeline};
    do {
      check(degrees, order);
      if (testing::Test::HasFailure()) {
        return;
      }
    } while (std::next_permutation(order.begin(), order.end()));
  }
}

TEST(PlacementProperty, MapsCoordinatesToRanksOneToOne) {
  for_all_placements([](const Degrees& degrees, const Order& order) {
    const Placement placement(degrees, order);
    std::int32_t product = 1;
    for (const std::int32_t degree : degrees) {
      product *= degree;
    }
    ASSERT_EQ(placement.num_ranks(), product);
    for (std::int32_t rank = 0; rank < product; ++rank) {
      const Coordinates coordinates = placement.coordinates_of(rank);
      for (std::size_t axis = 0; axis < kNumAxes; ++axis) {
        ASSERT_GE(coordinates[axis], 0);
        ASSERT_LT(coordinates[axis], degrees[axis]);
      }
      ASSERT_EQ(placement.rank_of(coordinates), rank);
      ASSERT_EQ(placement.device_of(coordinates), rank);
    }
  });
}

// The rule as an odometer: the next rank advances the first axis, which carries into the next when it wraps.
TEST(PlacementProperty, CountsLikeAnOdometer) {
  for_all_placements([](const Degrees& degrees, const Order& order) {
    const Placement placement(degrees, order);
    Coordinates expected{};
    for (std::int32_t rank = 0; rank < placement.num_ranks(); ++rank) {
      ASSERT_EQ(placement.coordinates_of(rank), expected);
      for (const Axis axis : order) {
        std::int32_t& coordinate = expected[index_of(axis)];
        coordinate = (coordinate + 1) % degrees[index_of(axis)];
        if (coordinate != 0) {
          break;
        }
      }
    }
  });
}

/// Ranks whose coordinates are those of `rank` but along `axes`, by looking at every rank.
std::vector<std::int32_t> found_along(const Placement& placement, std::int32_t rank, AxisSet axes) {
  std::vector<std::int32_t> found;
  const Coordinates own = placement.coordinates_of(rank);
  for (std::int32_t other = 0; other < placement.num_ranks(); ++other) {
    const Coordinates place = placement.coordinates_of(other);
    const bool same_elsewhere = std::all_of(kAllAxes.begin(), kAllAxes.end(), [&](Axis axis) {
      return axes.contains(axis) || place[index_of(axis)] == own[index_of(axis)];
    });
    if (same_elsewhere) {
      found.push_back(other);
    }
  }
  return found;
}

TEST(PlacementProperty, RanksAlongAxesAreThoseThatDifferThereOnly) {
  const std::vector<AxisSet> sets = {
      {},
      {Axis::kContext},
      {Axis::kPipeline, Axis::kTensor},
      {Axis::kContext, Axis::kExpert, Axis::kData},
      {Axis::kTensor, Axis::kContext, Axis::kExpert, Axis::kData, Axis::kPipeline}};
  int sampled = 0;
  for_all_placements([&](const Degrees& degrees, const Order& order) {
    if (++sampled % 37 != 0) {  // all degrees and orders occur, not all pairs of them
      return;
    }
    const Placement placement(degrees, order);
    for (const AxisSet axes : sets) {
      for (std::int32_t rank = 0; rank < placement.num_ranks(); rank += 7) {
        const std::vector<std::int32_t> expected = found_along(placement, rank, axes);
        ASSERT_EQ(placement.ranks_along(rank, axes), expected);
        ASSERT_EQ(placement.num_along(axes), static_cast<std::int32_t>(expected.size()));
        const std::int32_t position = placement.position_along(rank, axes);
        ASSERT_EQ(expected[static_cast<std::size_t>(position)], rank);
        for (std::size_t i = 0; i < expected.size(); ++i) {
          ASSERT_EQ(placement.rank_along(rank, axes, static_cast<std::int32_t>(i)), expected[i]);
        }
      }
    }
  });
}

}  // namespace
}  // namespace portolan
