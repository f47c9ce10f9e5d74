#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace portolan {

/// How many of the best are wanted: all within `tolerance` of the best one, but no fewer than `fewest` where
/// there are as many, and no more than `most`.
struct Shortlist {
  std::size_t fewest = 16;
  std::size_t most = 64;
  double tolerance = 0.03;
};

/// Where a strategy lies in the tree of a SearchSpace: indices, from the root on.
struct SpacePlace {
  std::uint32_t branch = 0;
  std::uint32_t pipeline = 0;
  std::uint32_t recompute = 0;
  std::uint32_t sharding = 0;
  std::uint32_t aggregation = 0;

  auto operator<=>(const SpacePlace&) const = default;
};

struct RankedPlace {
  double value = 0;
  SpacePlace place;

  bool operator<(const RankedPlace& other) const {
    return value != other.value ? value < other.value : place < other.place;
  }
};

/// The best so far.
class BestPlaces {
 public:
  explicit BestPlaces(const Shortlist& wanted) : wanted_(wanted) {}

  void add(const RankedPlace& found);
  /// None above it is wanted.
  double limit() const;
  /// Those that are wanted, best first.
  std::vector<RankedPlace> take();

 private:
  Shortlist wanted_;
  std::vector<RankedPlace> list_;
};

}  // namespace portolan
