#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace portolan {

struct SlurmSwitch {
  std::string name;
  int line = 0;
  std::vector<std::string> nodes;     ///< a leaf's
  std::vector<std::size_t> switches;  ///< below this one, by place in SlurmTopology::switches
  std::string link_speed;             ///< as written; Slurm gives it no unit
  /// 1 for a leaf, else one more than those below.
  int level = 1;
};

/// A forest of switches, in the file's order. Each node and each switch is below one switch at most.
struct SlurmTopology {
  std::string file;  ///< its name, without folders
  std::vector<SlurmSwitch> switches;
  std::vector<std::size_t> roots;
};

/// Reads a topology.conf of topology/tree: lines of SwitchName= with Nodes= or Switches=, both hostlists, and
/// LinkSpeed=. Errors (kBadInput), one line with the place: over 8 MiB, 100,000 switches or 1,000,000
/// names, another key, a switch without children or with both kinds, a switch or node that is there twice, a
/// switch that is below itself or nowhere described, a switch above switches of different levels.
Result<SlurmTopology> read_slurm_topology(std::string_view text, std::string_view file);

}  // namespace portolan
