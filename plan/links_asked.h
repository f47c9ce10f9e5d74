#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "plan/op_flows.h"
#include "topology/cluster.h"

namespace portolan {

/// Some links of a cluster: answers what flows put on them, whichever rails tell it, in the time that it
/// takes to look once at each link that tells.
class LinksAsked {
 public:
  explicit LinksAsked(const Cluster& cluster) : cluster_(cluster), of_link_(cluster.links().size(), kNone) {}

  /// Again: nothing new. Precondition: for_each_load() has not been called.
  void add(LinkIndex link);
  std::size_t size() const { return links_.size(); }
  LinkIndex link(std::size_t place) const { return links_[place]; }

  /// Calls `visit(place, bytes)` for each of the links that flows of the kind cross.
  template <typename Visit>
  void for_each_load(const OpFlows::Kind& kind, const Visit& visit) {
    const Told& told = told_by(kind.rails);
    for (const OpFlows::LinkBytes& load : kind.loads) {
      for (std::int32_t place = told.first[static_cast<std::size_t>(load.link)]; place != kNone;
           place = told.next[static_cast<std::size_t>(place)]) {
        visit(static_cast<std::size_t>(place), load.bytes);
      }
    }
  }

 private:
  static constexpr std::int32_t kNone = -1;
  /// The links by that which tells of them: the place of the first by link, and of another by place.
  struct Told {
    ToldRails rails;
    std::vector<std::int32_t> first;
    std::vector<std::int32_t> next;
  };

  const Told& told_by(const ToldRails& rails);

  const Cluster& cluster_;
  std::vector<LinkIndex> links_;
  std::vector<std::int32_t> of_link_;  ///< place
  std::deque<Told> told_;              ///< a Program has few
};

}  // namespace portolan
