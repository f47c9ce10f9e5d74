#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "plan/collectives/link_table.h"
#include "plan/op_flows.h"
#include "topology/cluster.h"

namespace portolan {

/// Some links of a cluster: answers what flows put on them, whichever groups tell it, in the time that it
/// takes to look once at each of them, or at each link that tells, where these are fewer.
class LinksAsked {
 public:
  explicit LinksAsked(const Cluster& cluster) : cluster_(cluster) {}

  /// Again: nothing new. Precondition: for_each_load() has not been called.
  void add(LinkIndex link);
  std::size_t size() const { return links_.size(); }
  LinkIndex link(std::size_t place) const { return links_[place]; }

  /// Calls `visit(place, bytes)` for each of the links that flows of the kind cross.
  template <typename Visit>
  void for_each_load(const OpFlows::Kind& kind, const Visit& visit) {
    const Told& told = told_by(kind.groups);
    if (kind.loads->size() > links_.size()) {
      for (std::size_t place = 0; place < links_.size(); ++place) {
        if (const double bytes = kind.bytes_told(cluster_, told.links[place]); bytes > 0) {
          visit(place, bytes);
        }
      }
      return;
    }
    kind.for_each_told(cluster_, [&](LinkIndex link, double bytes) {
      if (const std::vector<std::uint32_t>* places = told.places.find(link)) {
        for (const std::uint32_t place : *places) {
          visit(std::size_t{place}, bytes);
        }
      }
    });
  }

 private:
  struct Told {
    ToldGroups groups;
    std::vector<LinkIndex> links;                  ///< that tell, by place
    LinkTable<std::vector<std::uint32_t>> places;  ///< of which they tell
  };

  const Told& told_by(const ToldGroups& groups);

  const Cluster& cluster_;
  std::vector<LinkIndex> links_;
  LinkTable<bool> is_there_;
  std::deque<Told> told_;  ///< a Program has few
};

}  // namespace portolan
