#include "plan/place_nodes.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/random.h"
#include "plan/job_cluster.h"
#include "plan/rank_place.h"
#include "plan/tree_mapping.h"

namespace portolan {

namespace {

/// Each has at most a share of all trials; small jobs, which use few, have more starts.
constexpr int kSharesOfTrials = 6;
constexpr int kMostStarts = 64;
constexpr std::uint64_t kDrawSeed = 1;

/// Bytes between the job's nodes, of all classes.
ProcessGraph process_graph(const std::vector<TrafficClass>& traffic, std::int32_t num_nodes,
                           std::int64_t gpus_per_node) {
  std::map<std::pair<std::int32_t, std::int32_t>, double> bytes;
  for (const TrafficClass& each : traffic) {
    for (const Flow& flow : each.flows) {
      const auto from = static_cast<std::int32_t>(flow.source / gpus_per_node);
      const auto to = static_cast<std::int32_t>(flow.destination / gpus_per_node);
      bytes[std::minmax(from, to)] += flow.bytes;
    }
  }
  ProcessGraph graph{.num_processes = num_nodes, .edges = {}};
  for (const auto& [ends, sum] : bytes) {
    if (sum > 0) {
      graph.edges.push_back({.a = ends.first, .b = ends.second, .bytes = sum});
    }
  }
  return graph;
}

/// Changes places of two nodes wherever that lowers the load, until no change does or `trials` are used up.
NodeOrder improved(LinkContention contention, std::int64_t& trials) {
  LinkLoad load = contention.load();
  const std::size_t num_used = contention.num_used(), num_nodes = contention.nodes().size();
  bool is_better = true;
  while (is_better && trials > 0) {
    is_better = false;
    for (std::size_t a = 0; a < num_used; ++a) {
      for (std::size_t b = a + 1; b < num_nodes && trials > 0; ++b, --trials) {
        contention.swap(a, b);
        const LinkLoad changed = contention.load();
        if (changed.is_less_than(load)) {
          load = changed;
          is_better = true;
        } else {
          contention.swap(a, b);
        }
      }
    }
  }
  return {.nodes = contention.nodes(), .load = load};
}

/// The used ones in the order of `places`, indices into `nodes`; spare ones behind.
NodeList in_order(const NodeList& nodes, const std::vector<std::int32_t>& places) {
  NodeList ordered;
  std::vector<bool> used(nodes.size());
  for (const std::int32_t place : places) {
    ordered.push_back(nodes[static_cast<std::size_t>(place)]);
    used[static_cast<std::size_t>(place)] = true;
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (!used[i]) {
      ordered.push_back(nodes[i]);
    }
  }
  return ordered;
}

NodeList drawn_order(NodeList nodes, RandomStream& random) {
  for (std::size_t i = nodes.size(); i > 1; --i) {
    std::swap(nodes[i - 1], nodes[static_cast<std::size_t>(random.next_below(i))]);
  }
  return nodes;
}

/// Those without a slow GPU, where they are enough; else all.
NodeList without_slow(const NodeList& nodes, std::int64_t num_used, const Cluster& machine) {
  const std::int64_t per_node = machine.hardware().gpus_per_node;
  NodeList fast;
  std::copy_if(nodes.begin(), nodes.end(), std::back_inserter(fast), [&](std::int32_t node) {
    for (std::int64_t gpu = node * per_node; gpu < (node + 1) * per_node; ++gpu) {
      if (machine.speed(static_cast<DeviceIndex>(gpu)) < 1) {
        return false;
      }
    }
    return true;
  });
  return std::ssize(fast) >= num_used ? fast : nodes;
}

}  // namespace

Result<std::vector<NodeOrder>> place_nodes(const Scenario& scenario, const Program& program,
                                           const PlaceNodesOptions& options) {
  PORTOLAN_TRY(const NodeList nodes, nodes_of_job(scenario));
  const auto num_used =
      static_cast<std::int32_t>(nodes_filled(placement_of(program).num_ranks(), scenario.hardware));
  PORTOLAN_TRY(const Cluster machine, Cluster::build(scenario.hardware));
  PORTOLAN_TRY(const Cluster job, job_cluster(scenario));
  const std::vector<TrafficClass> traffic = node_traffic(program, job);
  const LinkLoad default_load = LinkContention(traffic, machine, nodes).load();
  const auto of_ranks = [&](NodeOrder order) {
    order.nodes.resize(static_cast<std::size_t>(num_used));
    return order;
  };
  std::vector<NodeOrder> orders = {of_ranks({nodes, default_load})};
  // A slow GPU holds up all that wait for it: no link is worth that.
  const NodeList pool = without_slow(nodes, num_used, machine);
  const bool is_own_fast = std::equal(nodes.begin(), nodes.begin() + num_used, pool.begin());
  const SwitchTree tree = switch_tree(scenario.hardware, pool);
  if (traffic.empty() || tree.tiers.empty()) {
    return orders;
  }
  PORTOLAN_TRY(const std::vector<std::int32_t> places,
               map_onto_tree(process_graph(traffic, num_used, scenario.hardware.gpus_per_node), tree));
  RandomStream random(kDrawSeed);
  std::int64_t left = options.most_trials;
  for (int start = 0; start < kMostStarts && left > 0; ++start) {
    NodeList from = start == 0 ? pool : start == 1 ? in_order(pool, places) : drawn_order(pool, random);
    std::int64_t trials = std::min(left, options.most_trials / kSharesOfTrials + 1);
    left -= trials;
    NodeOrder order = of_ranks(improved(LinkContention(traffic, machine, std::move(from)), trials));
    left += trials;
    const bool is_new = std::none_of(orders.begin(), orders.end(),
                                     [&](const NodeOrder& known) { return known.nodes == order.nodes; });
    if (is_new && (order.load.is_less_than(orders.front().load) || !is_own_fast)) {
      orders.push_back(std::move(order));
    }
  }
  std::stable_sort(orders.begin() + 1, orders.end(),
                   [](const NodeOrder& a, const NodeOrder& b) { return a.load.is_less_than(b.load); });
  return orders;
}

}  // namespace portolan
