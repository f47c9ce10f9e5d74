#pragma once

#include <cstdint>
#include <vector>

#include "topology/hardware.h"
#include "topology/node_list.h"

namespace portolan {

/// The switches above some nodes as a tree of equal branches: groups of pods, pods of nodes. Spines and core
/// switches side by side are one vertex; tiers with one branch are left out.
struct SwitchTree {
  struct Tier {
    std::int32_t branches = 1;  ///< below each vertex
    /// To each branch: seconds that a byte of every node below takes, when all send at once.
    double seconds_per_byte = 0;

    bool operator==(const Tier&) const = default;
  };
  std::vector<Tier> tiers;           ///< from the root; the last one's branches are nodes
  std::vector<std::int32_t> leaves;  ///< of each node of the list, counted from the left

  bool operator==(const SwitchTree&) const = default;
};

/// Precondition: find_problem(hardware) found none, nor find_node_problem.
SwitchTree switch_tree(const Hardware& hardware, const NodeList& nodes);

}  // namespace portolan
