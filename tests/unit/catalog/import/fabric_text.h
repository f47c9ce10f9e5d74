#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace portolan {

/// Makes what ibnetdiscover would print of cables between devices. A device with a space in its name
/// ("node1 mlx5_0") is an adapter, others are switches.
class FabricText {
 public:
  /// `count` cables of `rate` between two devices, on their next ports.
  FabricText& join(const std::string& a, const std::string& b, const std::string& rate = "4xHDR",
                   int count = 1);
  std::string text() const;

 private:
  struct Port {
    std::size_t peer = 0;
    std::size_t peer_number = 0;
    std::string rate;
  };
  std::size_t place_of(const std::string& name);
  std::string id_of(std::size_t place) const;

  std::vector<std::string> names_;
  std::vector<std::vector<Port>> ports_;  ///< beside names_
};

/// A tree as Hardware describes one.
struct TreeShape {
  std::size_t nodes = 4;
  std::size_t cards = 2;
  std::size_t nodes_per_pod = 2;
  std::size_t spines = 2;
  int links_per_trunk = 1;
};
/// node0 mlx5_0 ... on leaf0.0 (pod.rail), leaf switches to spine0 ...
FabricText rail_tree(const TreeShape& shape);

}  // namespace portolan
