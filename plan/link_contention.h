#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/quantity.h"
#include "plan/node_traffic.h"
#include "topology/cluster.h"
#include "topology/node_list.h"

namespace portolan {

/// How long a step's traffic keeps the links between nodes busy. Less is better: first by `busiest`, and
/// where that is the same by `crowding`.
struct LinkLoad {
  Seconds busiest;      ///< of the link that each class of traffic keeps busy longest, summed over classes
  double crowding = 0;  ///< squares of the time of each link and class, s^2: how much there is, how uneven

  /// By more than rounding makes of equal ones.
  bool is_less_than(const LinkLoad& other) const;
  bool operator==(const LinkLoad&) const = default;
};

/// Loads of links for an order of nodes, kept as nodes change places: what a change costs is what the two
/// nodes send, not what all do.
class LinkContention {
 public:
  /// nodes: of the hardware; node i of the traffic's devices is nodes[i], those behind are spare.
  /// `machine` is the cluster without a list of nodes of its own; it must outlive this. Precondition: at
  /// least as many nodes as the traffic has.
  LinkContention(const std::vector<TrafficClass>& traffic, const Cluster& machine, NodeList nodes);

  const NodeList& nodes() const { return nodes_; }
  /// Nodes of the traffic.
  std::size_t num_used() const { return flows_of_node_.size(); }
  /// Of the links as they are now. Looks at all of a class after what was busiest has got less to carry.
  LinkLoad load();
  /// Two nodes of the list change places. Preconditions: a < num_used(), a != b.
  void swap(std::size_t a, std::size_t b);

 private:
  struct NodeFlow {
    std::int32_t traffic_class = 0;
    std::int32_t source_node = 0;  ///< index into nodes_
    std::int32_t source_place = 0;
    std::int32_t destination_node = 0;
    std::int32_t destination_place = 0;
    double bytes = 0;
  };

  /// Links between nodes that a payload crosses, by place: at most a card, a trunk and a core trunk, twice.
  struct SharedPath {
    std::array<std::int32_t, 6> places{};
    std::size_t size = 0;
  };
  /// What one class puts on links.
  struct ClassLoad {
    std::vector<double> seconds;  ///< by place
    double most = 0;
    bool is_most_stale = false;  ///< a link that had the most has less now
  };

  DeviceIndex device(std::int32_t node, std::int32_t place) const;
  /// Kept once found: nodes come back to each other as they change places.
  const SharedPath& path_between(DeviceIndex source, DeviceIndex destination);
  /// Adds so many times what the flow puts on links.
  void add(const NodeFlow& flow, double times);
  void add_all_of(std::size_t a, std::size_t b, double times);

  static constexpr std::int32_t kNotShared = -1;
  const Cluster& machine_;
  NodeList nodes_;
  std::vector<NodeFlow> flows_;
  std::vector<std::vector<std::int32_t>> flows_of_node_;  ///< indices into flows_
  std::vector<std::int32_t> place_of_link_;               ///< among links between nodes, or kNotShared
  std::vector<double> seconds_per_byte_;                  ///< by place
  std::vector<ClassLoad> loads_;
  double crowding_ = 0;
  std::unordered_map<std::int64_t, SharedPath> paths_;
};

}  // namespace portolan
