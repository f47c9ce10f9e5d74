#include "catalog/import/slurm_topology.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "catalog/document/node.h"
#include "catalog/import/hostlist.h"
#include "catalog/import/source_text.h"

namespace portolan {

namespace {

constexpr std::size_t kMaxConfigurationBytes = std::size_t{8} << 20U;
constexpr std::size_t kMaxSwitches = 100'000;

/// What a line says, before names are expanded.
struct SwitchLine {
  std::string_view name;
  std::string_view nodes;
  std::string_view switches;
  std::string_view link_speed;
};

class SlurmReader {
 public:
  SlurmReader(std::string_view text, std::string_view file) : lines_(text, file), file_(file) {}

  Result<SlurmTopology> read() {
    topology_.file = file_name_of(file_);
    while (lines_.next()) {
      const auto words = words_between_spaces(lines_.line().substr(0, lines_.line().find('#')));
      if (!words.empty()) {
        PORTOLAN_TRY(const SwitchLine line, parse_line(words));
        PORTOLAN_CHECK_OK(add_switch(line));
      }
    }
    if (topology_.switches.empty()) {
      return bad_input(fmt::format("{}: names no switch (allowed: lines of SwitchName=...)", file_));
    }
    PORTOLAN_CHECK_OK(join_switches());
    PORTOLAN_CHECK_OK(find_levels());
    return std::move(topology_);
  }

 private:
  Result<SwitchLine> parse_line(const std::vector<std::string_view>& words) const {
    SwitchLine line;
    const std::map<std::string, std::string_view*> keys = {{"switchname", &line.name},
                                                           {"nodes", &line.nodes},
                                                           {"switches", &line.switches},
                                                           {"linkspeed", &line.link_speed}};
    for (const std::string_view word : words) {
      const std::size_t equals = word.find('=');
      const auto key = keys.find(lower_case(word.substr(0, equals)));
      if (equals == std::string_view::npos || key == keys.end()) {
        return lines_.error(fmt::format(
            "\"{}\" is not known (allowed: SwitchName=, Nodes=, Switches=, LinkSpeed=)", printable(word)));
      }
      if (!key->second->empty()) {
        return lines_.error(fmt::format("{} is there twice", printable(word.substr(0, equals))));
      }
      *key->second = word.substr(equals + 1);
      if (key->second->empty()) {
        return lines_.error(fmt::format("{} has no value", printable(word)));
      }
    }
    return line;
  }

  Result<void> add_switch(const SwitchLine& line) {
    if (line.name.empty()) {
      return lines_.error("has no SwitchName=");
    }
    if (line.nodes.empty() == line.switches.empty()) {
      return lines_.error(
          fmt::format("switch {} has {} (allowed: one of Nodes=, Switches=)", printable(line.name),
                      line.nodes.empty() ? "neither nodes nor switches" : "nodes and switches"));
    }
    if (topology_.switches.size() == kMaxSwitches) {
      return lines_.error(fmt::format("more than {} switches", kMaxSwitches));
    }
    SlurmSwitch added{.name = std::string(line.name),
                      .line = lines_.number(),
                      .nodes = {},
                      .switches = {},
                      .link_speed = printable(line.link_speed)};
    const auto [known, is_new] = places_.emplace(added.name, topology_.switches.size());
    if (!is_new) {
      return lines_.error(fmt::format("switch {} is there twice (first in line {})", printable(line.name),
                                      topology_.switches[known->second].line));
    }
    if (lower_case(line.nodes) == "all") {
      return lines_.error("Nodes=ALL names no nodes (allowed: such as tux[0-15,20])");
    }
    const bool is_leaf = line.switches.empty();
    const auto names = expand_hostlist(is_leaf ? line.nodes : line.switches, left_);
    if (!names) {
      return lines_.error(fmt::format("{}{}", is_leaf ? "Nodes=: " : "Switches=: ", names.error().message));
    }
    left_.names -= names->size();
    for (const std::string& name : *names) {
      left_.characters -= std::min(left_.characters, name.size());
    }
    if (is_leaf) {
      PORTOLAN_CHECK_OK(check_nodes(*names));
      added.nodes = *names;
    } else {
      children_.emplace_back(topology_.switches.size(), *names);
    }
    topology_.switches.push_back(std::move(added));
    return {};
  }

  Result<void> check_nodes(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      if (!nodes_.insert(name).second) {
        return lines_.error(
            fmt::format("node {} is there twice (allowed: one leaf switch a node)", printable(name)));
      }
    }
    return {};
  }

  Result<void> join_switches() {
    std::vector<bool> has_parent(topology_.switches.size());
    for (const auto& [parent, names] : children_) {
      SlurmSwitch& above = topology_.switches[parent];
      for (const std::string& name : names) {
        const auto child = places_.find(name);
        if (child == places_.end()) {
          return error_at(file_, above.line,
                          fmt::format("Switches=: {} is described nowhere (allowed: names of SwitchName=)",
                                      printable(name)));
        }
        if (has_parent[child->second]) {
          return error_at(
              file_, above.line,
              fmt::format("Switches=: {} is below another switch too (allowed: a tree)", printable(name)));
        }
        has_parent[child->second] = true;
        above.switches.push_back(child->second);
      }
    }
    for (std::size_t i = 0; i < topology_.switches.size(); ++i) {
      if (!has_parent[i]) {
        topology_.roots.push_back(i);
      }
    }
    return {};
  }

  /// From the roots down, then back; what is not met lies on a circle, as each switch has one parent.
  Result<void> find_levels() {
    std::vector<std::size_t> order = topology_.roots;
    for (std::size_t i = 0; i < order.size(); ++i) {
      const std::vector<std::size_t>& below = topology_.switches[order[i]].switches;
      order.insert(order.end(), below.begin(), below.end());
    }
    if (order.size() < topology_.switches.size()) {
      const std::set<std::size_t> met(order.begin(), order.end());
      std::size_t lost = 0;
      while (met.contains(lost)) {
        ++lost;
      }
      return error_at(file_, topology_.switches[lost].line,
                      fmt::format("switch {} is below itself (allowed: a tree)",
                                  printable(topology_.switches[lost].name)));
    }
    for (auto place = order.rbegin(); place != order.rend(); ++place) {
      SlurmSwitch& above = topology_.switches[*place];
      for (const std::size_t below : above.switches) {
        const int level = topology_.switches[below].level + 1;
        if (above.level > 1 && above.level != level) {
          return error_at(file_, above.line,
                          fmt::format("switch {} joins leaf switches and others (allowed: equals)",
                                      printable(above.name)));
        }
        above.level = level;
      }
    }
    return {};
  }

  SourceLines lines_;
  std::string_view file_;
  SlurmTopology topology_;
  std::map<std::string, std::size_t, std::less<>> places_;
  std::set<std::string, std::less<>> nodes_;
  std::vector<std::pair<std::size_t, std::vector<std::string>>> children_;
  HostlistLimit left_;
};

}  // namespace

Result<SlurmTopology> read_slurm_topology(std::string_view text, std::string_view file) {
  PORTOLAN_CHECK_OK(check_source(text, file, kMaxConfigurationBytes));
  return SlurmReader(text, file).read();
}

}  // namespace portolan
