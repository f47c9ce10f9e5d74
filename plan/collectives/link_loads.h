#pragma once

#include <cstddef>

#include "base/quantity.h"
#include "plan/collectives/flow_set.h"
#include "plan/collectives/link_table.h"
#include "topology/cluster.h"

namespace portolan {

/// Bytes over each link that something crosses.
class LinkLoads {
 public:
  /// num_links: how many will be crossed, where that is known.
  explicit LinkLoads(std::size_t num_links = 0) : bytes_(num_links) {}

  void add(LinkIndex link, double bytes) { bytes_[link] += bytes; }
  void add(const Cluster& cluster, const FlowSet& set);
  /// Makes room for so many more.
  void expect(std::size_t num_links) { bytes_.expect(num_links); }
  /// 0 where nothing crosses.
  double at(LinkIndex link) const { return bytes_.at(link); }

  /// How many links something crosses.
  std::size_t size() const { return bytes_.size(); }
  /// Calls `visit(link, bytes)` for each link that something crosses, in no order that means anything.
  template <typename Visit>
  void for_each(const Visit& visit) const {
    bytes_.for_each(visit);
  }

  /// The longest that a link of `cluster` takes for its bytes.
  Seconds busiest(const Cluster& cluster) const;

 private:
  LinkTable<double> bytes_;
};

}  // namespace portolan
