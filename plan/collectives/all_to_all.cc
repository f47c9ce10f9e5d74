#include <array>
#include <cassert>
#include <cstdint>

#include "plan/collectives/algorithms.h"
#include "plan/collectives/link_loads.h"

namespace portolan {

namespace {

/// A member of a NodeGroup.
struct Member {
  std::size_t node = 0;
  std::size_t place = 0;
};

/// Bundles what one member sends others by the kind of path: within the node or not, and its length, which
/// tells whether it changes rails and how high it climbs. Of each kind one destination takes all: one that
/// nobody has yet chosen, so that what leaves alike arrives alike.
class Bundles {
 public:
  Bundles(const Cluster& cluster, const NodeGroup& group)
      : cluster_(cluster), group_(group), times_chosen_(group.num_members() * kNumKinds) {}

  /// `bytes(from, to)`: between two members.
  template <typename BytesBetween>
  std::vector<Flow> make(const BytesBetween& bytes) {
    std::vector<Flow> flows;
    std::size_t index_of_source = 0;
    for (std::size_t node = 0; node < group_.num_nodes(); ++node) {
      for (std::size_t place = 0; place < group_.node(node).size(); ++place, ++index_of_source) {
        for_each_other({node, place}, index_of_source, [&](const Member& other, std::size_t index) {
          add(group_.node(node)[place], group_.node(other.node)[other.place], index,
              bytes(Member{node, place}, other));
        });
        choose(group_.node(node)[place], flows);
      }
    }
    return flows;
  }
  const LinkLoads& loads_of_all_pairs() const { return loads_; }

 private:
  /// Lengths of paths are below 16.
  static constexpr std::size_t kNumKinds = 32;
  struct Bundle {
    double bytes = 0;
    std::size_t destination = 0;
  };

  /// All other members, beginning with those of the node, then those of the next one, from the same place on.
  template <typename Visit>
  void for_each_other(const Member& from, std::size_t index_of_from, const Visit& visit) const {
    std::size_t begin = index_of_from - from.place;  // of the node among all members
    for (std::size_t dn = 0; dn < group_.num_nodes(); ++dn) {
      const std::size_t node = (from.node + dn) % group_.num_nodes();
      const std::size_t here = group_.node(node).size();
      for (std::size_t dp = dn == 0 ? 1 : 0; dp < here; ++dp) {
        const std::size_t place = (from.place + dp) % here;
        visit(Member{node, place}, begin + place);
      }
      begin = node + 1 == group_.num_nodes() ? 0 : begin + here;
    }
  }

  void add(DeviceIndex source, DeviceIndex destination, std::size_t index, double bytes) {
    if (bytes == 0) {
      return;
    }
    const Route route = cluster_.route(source, destination);
    for (const LinkIndex link : route.links) {
      loads_.add(link, bytes);
    }
    const bool within = cluster_.node_of(source) == cluster_.node_of(destination);
    const std::size_t kind = route.links.size() * 2 + (within ? 1 : 0);
    assert(kind < kNumKinds);
    Bundle& bundle = bundles_[kind];
    if (bundle.bytes == 0 || chosen(kind, index) < chosen(kind, bundle.destination)) {
      bundle.destination = index;
    }
    bundle.bytes += bytes;
  }

  void choose(DeviceIndex source, std::vector<Flow>& flows) {
    for (std::size_t kind = 0; kind < kNumKinds; ++kind) {
      Bundle& bundle = bundles_[kind];
      if (bundle.bytes > 0) {
        ++chosen(kind, bundle.destination);
        flows.push_back({source, group_.members()[bundle.destination], bundle.bytes});
        bundle = {};
      }
    }
  }

  std::int32_t& chosen(std::size_t kind, std::size_t index) {
    return times_chosen_[index * kNumKinds + kind];
  }

  const Cluster& cluster_;
  const NodeGroup& group_;
  LinkLoads loads_;
  std::array<Bundle, kNumKinds> bundles_{};
  std::vector<std::int32_t> times_chosen_;  ///< (member, kind)
};

template <typename BytesBetween>
FlowSet exchange(const Cluster& cluster, const NodeGroup& group, const BytesBetween& bytes) {
  Bundles bundles(cluster, group);
  FlowSet set{.flows = bundles.make(bytes), .latency = {}};
  // Equal where members lie evenly; elsewhere a bundle can crowd a trunk, or fail to.
  const double bundled = uncontended_time(cluster, set).value;
  const double scale = bundled > 0 ? bundles.loads_of_all_pairs().busiest(cluster).value / bundled : 1;
  for (Flow& flow : set.flows) {
    flow.bytes *= scale;
  }
  return set;
}

}  // namespace

FlowSet direct_all_to_all(const Cluster& cluster, const NodeGroup& group, Bytes payload) {
  const double share = static_cast<double>(payload.value) / static_cast<double>(group.num_members());
  FlowSet set = exchange(cluster, group, [&](const Member&, const Member&) { return share; });
  const auto rounds_within = static_cast<double>(group.most_on_a_node() - 1);
  const double rounds_between = static_cast<double>(group.num_members() - 1) - rounds_within;
  set.latency = cluster.hardware().intra_node_step.value * rounds_within +
                cluster.hardware().inter_node_step.value * rounds_between;
  return set;
}

FlowSet hierarchical_all_to_all(const Cluster& cluster, const NodeGroup& group, Bytes payload) {
  assert(group.is_even());
  const auto bytes = static_cast<double>(payload.value);
  const auto places = static_cast<double>(group.num_rails());
  const auto nodes = static_cast<double>(group.num_nodes());
  FlowSet set = exchange(cluster, group, [&](const Member& from, const Member& to) {
    return from.node == to.node ? bytes / places : from.place == to.place ? bytes / nodes : 0.0;
  });
  set.latency = cluster.hardware().intra_node_step.value * (places - 1) +
                cluster.hardware().inter_node_step.value * (nodes - 1);
  return set;
}

}  // namespace portolan
