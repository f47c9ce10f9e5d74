#include "plan/collectives/chains.h"

namespace portolan {

void add_chains(const NodeGroup& group, std::size_t node, double bytes, bool reversed,
                std::vector<Flow>& flows) {
  const auto here = group.node(node);
  const std::size_t rails = group.num_rails();
  for (std::size_t i = 0; i < here.size(); ++i) {
    const std::size_t next = i + 1 == here.size() ? 0 : i + 1;
    // The chain that begins at the next member does not come from this one.
    const std::size_t chains = next < rails ? rails - 1 : rails;
    if (chains > 0 && here.size() > 1) {
      const double share = bytes * static_cast<double>(chains) / static_cast<double>(rails);
      flows.push_back({here[reversed ? next : i], here[reversed ? i : next], share});
    }
  }
}

void add_whole_chain(const NodeGroup& group, std::size_t node, double bytes, std::vector<Flow>& flows) {
  const auto here = group.node(node);
  for (std::size_t i = 0; i + 1 < here.size(); ++i) {
    flows.push_back({here[i], here[i + 1], bytes});
  }
}

void add_ring(const NodeGroup& group, std::size_t node, double bytes, std::vector<Flow>& flows) {
  const auto here = group.node(node);
  for (std::size_t i = 0; i < here.size() && here.size() > 1; ++i) {
    flows.push_back({here[i], here[i + 1 == here.size() ? 0 : i + 1], bytes});
  }
}

}  // namespace portolan
