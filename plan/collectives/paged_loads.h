#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "topology/cluster.h"

namespace portolan {

/// Bytes over each link, as LinkLoads, for very many flows whose links are near one another, as those of a
/// stage are: pages of neighbouring links, each made when first crossed.
class PagedLoads {
 public:
  explicit PagedLoads(const Cluster& cluster) : page_of_(cluster.links().size() / kLinksPerPage + 1, kNone) {}

  void add(LinkIndex link, double bytes) {
    std::int32_t& page = page_of_[page_index(link)];
    if (page == kNone) {
      page = static_cast<std::int32_t>(bytes_.size());
      bytes_.resize(bytes_.size() + kLinksPerPage);
    }
    bytes_[static_cast<std::size_t>(page) + place_in_page(link)] += bytes;
  }
  /// 0 where nothing crosses.
  double at(LinkIndex link) const {
    const std::int32_t page = page_of_[page_index(link)];
    return page == kNone ? 0 : bytes_[static_cast<std::size_t>(page) + place_in_page(link)];
  }
  /// Calls `visit(link, bytes)` for each link that has bytes, in ascending order.
  template <typename Visit>
  void for_each(const Visit& visit) const {
    for (std::size_t index = 0; index < page_of_.size(); ++index) {
      if (page_of_[index] == kNone) {
        continue;
      }
      for (std::size_t place = 0; place < kLinksPerPage; ++place) {
        if (const double bytes = bytes_[static_cast<std::size_t>(page_of_[index]) + place]; bytes > 0) {
          visit(static_cast<LinkIndex>(index * kLinksPerPage + place), bytes);
        }
      }
    }
  }

 private:
  static constexpr std::size_t kLinksPerPage = 64;
  static constexpr std::int32_t kNone = -1;

  static std::size_t page_index(LinkIndex link) { return static_cast<std::size_t>(link) / kLinksPerPage; }
  static std::size_t place_in_page(LinkIndex link) { return static_cast<std::size_t>(link) % kLinksPerPage; }

  std::vector<std::int32_t> page_of_;  ///< where it begins in bytes_
  std::vector<double> bytes_;
};

}  // namespace portolan
