#include "topology/place_name.h"

#include <array>
#include <charconv>
#include <string>

#include "topology/link_name.h"

namespace portolan {

namespace {

/// The numbers of a name, in order; each is below 2^31.
using Numbers = std::array<std::int64_t, 4>;

/// The numbers in place of `#` in the pattern: "node#.gpu#". Nothing where the text differs, or a number has
/// a sign, another zero in front or more than nine digits.
std::optional<Numbers> match(std::string_view pattern, std::string_view text) {
  constexpr std::ptrdiff_t kMostDigits = 9;
  Numbers numbers{};
  std::size_t count = 0;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (const char expected : pattern) {
    if (expected != '#') {
      if (at == end || *at != expected) {
        return std::nullopt;
      }
      ++at;
      continue;
    }
    const auto [rest, error] = std::from_chars(at, end, numbers[count]);
    const bool is_plain = error == std::errc() && *at != '-' && (*at != '0' || rest == at + 1);
    if (!is_plain || rest - at > kMostDigits) {
      return std::nullopt;
    }
    at = rest;
    ++count;
  }
  return at == end ? std::optional(numbers) : std::nullopt;
}

/// Part `place` of the `count` parts of whole `index`, of `num` wholes.
std::optional<std::int64_t> part_of(std::int64_t index, std::int64_t num, std::int64_t place,
                                    std::int64_t count) {
  return index < num && place < count ? std::optional(index * count + place) : std::nullopt;
}

std::optional<std::int64_t> find_leaf(const ClusterLayout& layout, std::string_view name) {
  const auto n = match("pod#.leaf#", name);
  return n ? part_of((*n)[0], layout.num_pods, (*n)[1], layout.leaves_per_pod) : std::nullopt;
}

std::optional<std::int64_t> find_core(const ClusterLayout& layout, std::string_view name) {
  const auto n = match("core#", name);
  return n && (*n)[0] < layout.num_cores ? std::optional((*n)[0]) : std::nullopt;
}

/// The link from the end near GPUs to the far one; of what these are called it is enough that they can be
/// ends of one, as the caller compares names.
std::optional<LinkIndex> find_upward(const ClusterLayout& layout, std::string_view near,
                                     std::string_view far) {
  if (const auto gpu = find_gpu(layout, near)) {
    return far == "nvswitch" || layout.pcie_switches_per_node == 0 ? layout.nvlink_up(*gpu)
                                                                   : layout.pcie_up(*gpu);
  }
  if (const auto nic = find_nic(layout, near)) {
    return layout.nic_up(*nic);
  }
  if (const auto core = find_core(layout, far)) {
    const auto spine = find_spine(layout, near);
    return spine ? std::optional(layout.core_trunk_up(*spine, *core)) : std::nullopt;
  }
  const auto leaf = find_leaf(layout, near);
  const auto spine = find_spine(layout, far);
  const bool joined = leaf && spine && layout.group_of_leaf(*leaf) == *spine / layout.spines_per_group;
  return joined ? std::optional(layout.trunk_up(*leaf, *spine)) : std::nullopt;
}

}  // namespace

std::optional<std::int64_t> find_node(const ClusterLayout& layout, std::string_view name) {
  const auto n = match("node#", name);
  return n && (*n)[0] < layout.num_nodes ? std::optional((*n)[0]) : std::nullopt;
}

std::optional<std::int64_t> find_gpu(const ClusterLayout& layout, std::string_view name) {
  const auto n = match("node#.gpu#", name);
  return n ? part_of((*n)[0], layout.num_nodes, (*n)[1], layout.gpus_per_node) : std::nullopt;
}

std::optional<std::int64_t> find_nic(const ClusterLayout& layout, std::string_view name) {
  const auto n = match("node#.nic#", name);
  return n ? part_of((*n)[0], layout.num_nodes, (*n)[1], layout.nics_per_node) : std::nullopt;
}

std::optional<std::int64_t> find_spine(const ClusterLayout& layout, std::string_view name) {
  if (layout.num_groups <= 1) {
    const auto n = match("spine#", name);
    return n && (*n)[0] < layout.num_spines() ? std::optional((*n)[0]) : std::nullopt;
  }
  const auto n = match("group#.spine#", name);
  return n ? part_of((*n)[0], layout.num_groups, (*n)[1], layout.spines_per_group) : std::nullopt;
}

std::optional<LinkIndex> find_link(const ClusterLayout& layout, std::string_view name) {
  constexpr std::string_view kArrow = "->";
  const std::size_t arrow = name.find(kArrow);
  if (arrow == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view from = name.substr(0, arrow), to = name.substr(arrow + kArrow.size());
  std::optional<LinkIndex> up = find_upward(layout, from, to);
  if (!up) {
    // Within a node the second end is named without it: "node3.nvswitch->gpu5".
    const std::size_t point = from.find('.');
    const bool within_node = to.starts_with("gpu") && point != std::string_view::npos;
    up = within_node
             ? find_upward(layout, std::string(from.substr(0, point + 1)).append(to), from.substr(point + 1))
             : find_upward(layout, to, from);
  }
  for (LinkIndex link = up.value_or(0); up && link <= *up + 1; ++link) {
    if (name_of_link(layout, link) == name) {
      return link;
    }
  }
  return std::nullopt;
}

}  // namespace portolan
