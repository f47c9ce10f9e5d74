#pragma once

#include <cstdint>

#include "topology/cluster.h"

namespace portolan {

/// Payloads among the devices of blocks that follow on one another, alike in each block: one block tells for
/// those that find the same.
class ToldBlocks {
 public:
  struct Blocks {
    DeviceIndex first = 0;  ///< from which device to which payloads of the telling block go
    DeviceIndex last = 0;
    std::int64_t apart = 1;   ///< devices from one block to the next
    std::int64_t before = 0;  ///< how many blocks are before it
    std::int64_t behind = 0;

    bool operator==(const Blocks&) const = default;
  };

  /// Whether blocks lie on nodes of their own, and where their payloads leave pods on pods of their own,
  /// within their groups.
  static bool are_apart(const Cluster& cluster, const Blocks& blocks);
  /// Precondition: are_apart().
  explicit ToldBlocks(const Blocks& blocks) : blocks_(blocks) {}

  /// 0 if the block tells that the device belongs to; else how many devices there are from it to the next
  /// block.
  std::int32_t num_silent(const Cluster& cluster, DeviceIndex device) const;
  /// The link that tells what is on `link`.
  LinkIndex told(const Cluster& cluster, LinkIndex link) const;
  /// Calls `visit(link)` for each link of which `told` tells, itself first.
  template <typename Visit>
  void for_each_like(const Cluster& cluster, LinkIndex told, const Visit& visit) const {
    visit(told);
    if (place_of(cluster, told) != 0) {
      return;
    }
    for (std::int64_t place = -blocks_.before; place <= blocks_.behind; ++place) {
      if (is_told(cluster, place)) {
        visit(*cluster.moved(told, place * blocks_.apart));
      }
    }
  }
  /// The same for devices so much further that find the same.
  ToldBlocks moved(DeviceIndex devices) const;

  bool operator==(const ToldBlocks&) const = default;

 private:
  /// Places of blocks count from the one that tells; nothing is at this one.
  static constexpr std::int64_t kNowhere = INT64_MIN;
  /// Of the block that begins at or before the device; blocks begin at multiples of `own` devices.
  std::int64_t place_of(std::int64_t device, std::int64_t own) const;
  /// Of the block whose payloads can cross the link.
  std::int64_t place_of(const Cluster& cluster, LinkIndex link) const;
  bool is_told(const Cluster& cluster, std::int64_t place) const;

  Blocks blocks_;
};

}  // namespace portolan
