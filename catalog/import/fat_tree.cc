#include "catalog/import/fat_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "catalog/import/fabric_hosts.h"
#include "catalog/import/pods.h"

namespace portolan {

namespace {

struct CommonRate {
  BytesPerSecond rate;
  std::string word;
};

/// The rate of nearly all ports; a remark where some differ.
Result<CommonRate> find_common_rate(const std::vector<const InfinibandPort*>& ports, std::string_view what,
                                    std::string_view file, std::vector<std::string>& assumed) {
  std::map<BytesPerSecond, std::vector<const InfinibandPort*>> by_rate;
  for (const InfinibandPort* port : ports) {
    by_rate[port->rate].push_back(port);
  }
  const auto most =
      std::ranges::max_element(by_rate, {}, [](const auto& entry) { return entry.second.size(); });
  const std::string& word = most->second.front()->rate_word;
  const std::size_t num_equal = most->second.size();
  if (num_equal < ports.size()) {
    const auto other = std::ranges::find_if(by_rate, [&](const auto& e) { return e.first != most->first; });
    const InfinibandPort& example = *other->second.front();
    const std::string numbers =
        fmt::format("{}: {} of {} links of {} run at {}, others not (line {}: {})", file, num_equal,
                    ports.size(), what, word, example.line, example.rate_word);
    if (num_equal * 10 < ports.size() * 9) {
      return infeasible(numbers + ": links of different rates are not described yet");
    }
    assumed.push_back(numbers + fmt::format(": taken for {} too", word));
  }
  return CommonRate{.rate = most->first, .word = word};
}

class FatTreeFinder {
 public:
  FatTreeFinder(const InfinibandFabric& fabric, const ComputeAdapters& compute)
      : fabric_(fabric), compute_(compute) {}

  Result<FatTree> find() {
    PORTOLAN_TRY(hosts_, find_hosts(fabric_, compute_, tree_.assumed));
    PORTOLAN_CHECK_OK(check_hosts());
    PORTOLAN_CHECK_OK(find_pods());
    PORTOLAN_CHECK_OK(find_spines());
    PORTOLAN_CHECK_OK(check_trunks());
    PORTOLAN_CHECK_OK(find_rates());
    tree_.num_nodes = static_cast<std::int64_t>(hosts_.size());
    if (tree_.cards_per_leaf() > 1) {
      tree_.assumed.push_back(fmt::format(
          "{}: {} cards of each node are on one leaf switch: described as {} leaf switches, one a rail{}",
          fabric_.file, tree_.cards_per_leaf(), tree_.cards_per_leaf(),
          tree_.spines > 0 ? ", which share its links to the spines" : ""));
    }
    return std::move(tree_);
  }

 private:
  const InfinibandDevice& device(std::size_t place) const { return fabric_.devices[place]; }
  Error refuse(std::string_view message) const {
    return infeasible(fmt::format("{}: {}", fabric_.file, message));
  }
  std::string name_of(std::size_t place) const { return device(place).name(); }

  Result<void> check_hosts() {
    const FabricHost& first = hosts_.front();
    for (const FabricHost& host : hosts_) {
      if (host.cards.size() != first.cards.size()) {
        return refuse(fmt::format(
            "host {} has {} cards, host {} has {}: nodes must be equal (allowed: --slurm FILE to name the "
            "compute nodes)",
            first.name, first.cards.size(), host.name, host.cards.size()));
      }
    }
    if (first.cards.empty()) {
      return bad_input(fmt::format("{}: no host has a cable", fabric_.file));
    }
    tree_.cards_per_node = static_cast<std::int64_t>(first.cards.size());
    return {};
  }

  Result<void> find_pods() {
    std::map<std::vector<std::size_t>, std::vector<const FabricHost*>> pods;
    for (const FabricHost& host : hosts_) {
      std::vector<std::size_t> leaves;
      for (const FabricCard& card : host.cards) {
        leaves.push_back(card.port->peer);
      }
      std::ranges::sort(leaves);
      pods[leaves].push_back(&host);
    }
    std::map<std::size_t, const FabricHost*> owner;  // of a leaf switch: the first host of its pod
    std::vector<Pod> sizes;
    for (const auto& [leaves, hosts] : pods) {
      const std::set<std::size_t> distinct(leaves.begin(), leaves.end());
      for (const std::size_t leaf : distinct) {
        const auto [known, is_new] = owner.emplace(leaf, hosts.front());
        if (!is_new) {
          return refuse(fmt::format(
              "hosts {} and {} share leaf switch \"{}\" but not all of theirs: no pods can be told apart",
              known->second->name, hosts.front()->name, name_of(leaf)));
        }
        leaves_.push_back(leaf);
      }
      PORTOLAN_CHECK_OK(check_rails(hosts));
      PORTOLAN_CHECK_OK(check_leaves(leaves, distinct, *hosts.front()));
      sizes.push_back(
          {.name = name_of(leaves.front()), .num_nodes = static_cast<std::int64_t>(hosts.size())});
    }
    std::ranges::sort(leaves_);
    tree_.num_pods = static_cast<std::int64_t>(pods.size());
    PORTOLAN_TRY(tree_.nodes_per_pod, find_nodes_per_pod(std::move(sizes), fabric_.file));
    return {};
  }

  /// Card k of every node of a pod is on one leaf switch.
  Result<void> check_rails(const std::vector<const FabricHost*>& hosts) const {
    for (const FabricHost* host : hosts) {
      for (std::size_t k = 0; k < host->cards.size(); ++k) {
        const InfinibandPort& port = *host->cards[k].port;
        const FabricCard& other = hosts.front()->cards[k];
        if (port.peer != other.port->peer) {
          return refuse(
              fmt::format("card {} of host {} (line {}) is on \"{}\", {} of host {} on \"{}\": cards of "
                          "equal place must share a leaf switch",
                          host->cards[k].name, host->name, port.line, name_of(port.peer), other.name,
                          hosts.front()->name, name_of(other.port->peer)));
        }
      }
    }
    return {};
  }

  /// Each leaf switch has as many cards of a node as any other.
  Result<void> check_leaves(const std::vector<std::size_t>& leaves, const std::set<std::size_t>& distinct,
                            const FabricHost& host) {
    const auto num_leaves = static_cast<std::int64_t>(distinct.size());
    for (const std::size_t leaf : distinct) {
      const auto num_cards = std::ranges::count(leaves, leaf);
      if (num_cards * num_leaves != tree_.cards_per_node) {
        return refuse(fmt::format("host {} has {} of its {} cards on \"{}\", one of {} leaf switches: uneven",
                                  host.name, num_cards, tree_.cards_per_node, name_of(leaf), num_leaves));
      }
    }
    if (tree_.leaves_per_pod > 0 && tree_.leaves_per_pod != num_leaves) {
      return refuse(fmt::format("host {} is on {} leaf switches, others on {}: pods must be equal", host.name,
                                num_leaves, tree_.leaves_per_pod));
    }
    tree_.leaves_per_pod = num_leaves;
    return {};
  }

  bool is_leaf(std::size_t place) const { return std::ranges::binary_search(leaves_, place); }
  bool is_spine(std::size_t place) const { return std::ranges::binary_search(spines_, place); }
  template <typename Predicate>
  bool has_peer(std::size_t place, Predicate matches) const {
    return std::ranges::any_of(device(place).ports,
                               [&](const InfinibandPort& port) { return matches(port.peer); });
  }

  Result<void> find_spines() {
    std::vector<std::size_t> others;
    for (std::size_t i = 0; i < fabric_.devices.size(); ++i) {
      if (device(i).kind != InfinibandKind::kSwitch || is_leaf(i)) {
        continue;
      }
      (has_peer(i, [&](std::size_t peer) { return is_leaf(peer); }) ? spines_ : others).push_back(i);
    }
    const auto is_host = [&](std::size_t peer) {
      return device(peer).kind == InfinibandKind::kAdapter && !is_aggregation_node(device(peer));
    };
    std::size_t num_left_out = 0;
    for (const std::size_t other : others) {
      if (!has_peer(other, is_host)) {
        return refuse(
            fmt::format("switch \"{}\" joins neither hosts nor leaf switches: {} switches beside {} leaf and "
                        "{} spine switches, "
                        "a third tier is not described yet",
                        name_of(other), others.size(), leaves_.size(), spines_.size()));
      }
      ++num_left_out;
    }
    if (num_left_out > 0) {
      tree_.assumed.push_back(fmt::format(
          "{}: {} switches that only hosts outside of the compute nodes use were left out, \"{}\" "
          "among them",
          fabric_.file, num_left_out, name_of(others.front())));
    }
    tree_.spines = static_cast<std::int64_t>(spines_.size());
    if (tree_.num_pods > 1 && spines_.empty()) {
      return refuse(fmt::format("nothing joins the {} pods (that of host {} and others)", tree_.num_pods,
                                hosts_.front().name));
    }
    return {};
  }

  /// Every leaf switch to every spine, by equally many links, and nothing else between switches.
  Result<void> check_trunks() {
    for (const std::size_t spine : spines_) {
      if (has_peer(spine, [&](std::size_t peer) { return is_spine(peer); })) {
        return refuse(fmt::format("spine switch \"{}\" is joined to another one, which is not described yet",
                                  name_of(spine)));
      }
    }
    for (const std::size_t leaf : leaves_) {
      std::map<std::size_t, std::int64_t> num_links;
      for (const InfinibandPort& port : device(leaf).ports) {
        if (is_leaf(port.peer)) {
          return refuse(
              fmt::format("leaf switches \"{}\" and \"{}\" are joined (line {}), which is not described yet",
                          name_of(leaf), name_of(port.peer), port.line));
        }
        if (is_spine(port.peer)) {
          ++num_links[port.peer];
          trunks_.push_back(&port);
        }
      }
      for (const std::size_t spine : spines_) {
        const std::int64_t count = num_links[spine];
        if (tree_.links_per_trunk == 0) {
          tree_.links_per_trunk = count;
        }
        if (count == 0 || count != tree_.links_per_trunk) {
          return refuse(fmt::format(
              "leaf switch \"{}\" has {} links to spine \"{}\", others have {}: uneven trunks are not "
              "described yet",
              name_of(leaf), count, name_of(spine), std::max(tree_.links_per_trunk, std::int64_t{1})));
        }
      }
    }
    return {};
  }

  Result<void> find_rates() {
    std::vector<const InfinibandPort*> cards;
    for (const FabricHost& host : hosts_) {
      for (const FabricCard& card : host.cards) {
        cards.push_back(card.port);
      }
    }
    PORTOLAN_TRY(const CommonRate card, find_common_rate(cards, "cards", fabric_.file, tree_.assumed));
    tree_.card_rate = card.rate;
    tree_.card_rate_word = card.word;
    if (!trunks_.empty()) {
      PORTOLAN_TRY(const CommonRate trunk,
                   find_common_rate(trunks_, "leaf to spine switches", fabric_.file, tree_.assumed));
      tree_.trunk_rate = trunk.rate;
      tree_.trunk_rate_word = trunk.word;
    }
    return {};
  }

  const InfinibandFabric& fabric_;
  const ComputeAdapters& compute_;
  FatTree tree_;
  std::vector<FabricHost> hosts_;    ///< by name
  std::vector<std::size_t> leaves_;  ///< ascending
  std::vector<std::size_t> spines_;  ///< ascending
  std::vector<const InfinibandPort*> trunks_;
};

}  // namespace

Result<FatTree> find_fat_tree(const InfinibandFabric& fabric, const ComputeAdapters& compute) {
  return FatTreeFinder(fabric, compute).find();
}

}  // namespace portolan
