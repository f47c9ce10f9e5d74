#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "topology/cluster.h"

namespace portolan {

/// A value for each of a cluster's links that is asked for. A hash table with open addressing: a collective
/// crosses few of a cluster's links, and the search prices very many collectives.
template <typename Value>
class LinkTable {
 public:
  /// num_links: how many there will be, where that is known.
  explicit LinkTable(std::size_t num_links = 0)
      : slots_(std::max(kFirstCapacity, std::bit_ceil(2 * num_links + 2))) {}

  /// A link that was not there has Value(). Valid until another is asked for.
  Value& operator[](LinkIndex link) {
    std::size_t place = place_of(link);
    if (slots_[place].link != link) {
      if ((num_links_ + 1) * 2 > slots_.size()) {
        resize(slots_.size() * 4);
        place = place_of(link);
      }
      slots_[place].link = link;
      ++num_links_;
    }
    return slots_[place].value;
  }
  /// Value() where it is not there.
  const Value& at(LinkIndex link) const { return slots_[place_of(link)].value; }

  /// Nothing where it is not there.
  const Value* find(LinkIndex link) const {
    const Slot& slot = slots_[place_of(link)];
    return slot.link == link ? &slot.value : nullptr;
  }

  std::size_t size() const { return num_links_; }
  /// Makes room for so many more.
  void expect(std::size_t num_links) {
    if (const std::size_t wanted = (num_links_ + num_links) * 2; wanted > slots_.size()) {
      resize(std::bit_ceil(wanted));
    }
  }
  /// Calls `visit(link, value)` for each link, in no order that means anything.
  template <typename Visit>
  void for_each(const Visit& visit) const {
    for (const Slot& slot : slots_) {
      if (slot.link != kNone) {
        visit(slot.link, slot.value);
      }
    }
  }

 private:
  static constexpr LinkIndex kNone = -1;
  static constexpr std::size_t kFirstCapacity = 64;  ///< a power of two, as all later ones
  struct Slot {
    LinkIndex link = kNone;
    Value value{};
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

  void resize(std::size_t num_slots) {
    std::vector<Slot> full(num_slots);
    full.swap(slots_);
    if (num_links_ == 0) {
      return;
    }
    for (const Slot& slot : full) {
      if (slot.link != kNone) {
        slots_[place_of(slot.link)] = slot;
      }
    }
  }

  std::vector<Slot> slots_;
  std::size_t num_links_ = 0;
};

}  // namespace portolan
