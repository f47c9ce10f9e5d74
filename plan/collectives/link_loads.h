#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/quantity.h"
#include "plan/collectives/flow_set.h"
#include "topology/cluster.h"

namespace portolan {

/// Bytes over each link that something crosses. A hash table with open addressing: a collective crosses few
/// of a cluster's links, and the search prices very many collectives.
class LinkLoads {
 public:
  /// num_links: how many will be crossed, where that is known.
  explicit LinkLoads(std::size_t num_links = 0)
      : slots_(std::max(kFirstCapacity, std::bit_ceil(2 * num_links + 2))) {}

  void add(LinkIndex link, double bytes) {
    Slot& slot = slots_[place_of(link)];
    slot.bytes += bytes;
    if (slot.link != link) {
      slot.link = link;
      if (++num_links_ * 2 > slots_.size()) {
        grow();
      }
    }
  }
  void add(const Cluster& cluster, const FlowSet& set);
  /// Makes room for so many more.
  void expect(std::size_t num_links) {
    while ((num_links_ + num_links) * 2 > slots_.size()) {
      grow();
    }
  }
  /// 0 where nothing crosses.
  double at(LinkIndex link) const { return slots_[place_of(link)].bytes; }

  /// How many links something crosses.
  std::size_t size() const { return num_links_; }
  /// Calls `visit(link, bytes)` for each link that something crosses, in no order that means anything.
  template <typename Visit>
  void for_each(const Visit& visit) const {
    for (const Slot& slot : slots_) {
      if (slot.link != kNone) {
        visit(slot.link, slot.bytes);
      }
    }
  }

  /// The longest that a link of `cluster` takes for its bytes.
  Seconds busiest(const Cluster& cluster) const;

 private:
  static constexpr LinkIndex kNone = -1;
  static constexpr std::size_t kFirstCapacity = 64;  ///< a power of two, as all later ones
  struct Slot {
    LinkIndex link = kNone;
    double bytes = 0;
  };

  /// Where `link` is, or would be. Neighbouring links are crossed together: spread by a multiplication
  /// (Knuth, The Art of Computer Programming 3, 6.4).
  std::size_t place_of(LinkIndex link) const {
    constexpr std::uint32_t kGoldenRatio = 2654435769U;
    const std::size_t last = slots_.size() - 1;
    std::size_t place = (static_cast<std::uint32_t>(link) * kGoldenRatio >> 7U) & last;
    while (slots_[place].link != kNone && slots_[place].link != link) {
      place = (place + 1) & last;
    }
    return place;
  }
  void grow();

  std::vector<Slot> slots_;
  std::size_t num_links_ = 0;
};

}  // namespace portolan
