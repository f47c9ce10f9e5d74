#include "topology/cluster.h"

#include <fmt/format.h>

#include <array>
#include <cassert>
#include <utility>

#include "topology/bisection.h"
#include "topology/cluster_condition.h"
#include "topology/cluster_layout.h"
#include "topology/detour.h"
#include "topology/link_name.h"
#include "topology/route.h"

namespace portolan {

namespace {

/// Of parallel links together: switches spread a trunk's payloads over its links packet by packet.
BytesPerSecond achievable(const LinkSpec& spec, std::int64_t num_parallel = 1) {
  return static_cast<double>(num_parallel) * (spec.bandwidth.value * spec.efficiency.value);
}

TierBandwidth bandwidths_of(const Hardware& hardware) {
  TierBandwidth bandwidth{.nvlink = achievable(hardware.nvlink),
                          .nic = achievable(hardware.nic),
                          .trunk = achievable(hardware.trunk, hardware.links_per_trunk),
                          .core_trunk = achievable(hardware.core_trunk, hardware.links_per_core_trunk)};
  if (hardware.pcie) {
    bandwidth.pcie = achievable(*hardware.pcie);
  }
  return bandwidth;
}

}  // namespace

struct Cluster::Machine {
  /// What all links of a kind have.
  struct LinkFigures {
    BytesPerSecond bandwidth;
    Seconds latency;
  };

  Hardware hardware;
  NodeList nodes;  ///< empty: all, as they are numbered
  ClusterLayout layout;
  TierBandwidth bandwidths;
  std::array<LinkFigures, kNumLinkKinds> figures;
  /// Where something is wrong: what, and the same cluster without it.
  struct Impaired {
    ClusterCondition condition;
    Cluster healthy;
  };
  std::unique_ptr<const Impaired> impaired;

  Machine(Hardware description, NodeList job_nodes)
      : hardware(std::move(description)),
        nodes(std::move(job_nodes)),
        layout(hardware),
        bandwidths(bandwidths_of(hardware)) {
    using enum LinkKind;
    set(kNvLink, bandwidths.nvlink, hardware.nvlink);
    set(kNic, bandwidths.nic, hardware.nic);
    set(kTrunk, bandwidths.trunk, hardware.trunk);
    set(kCoreTrunk, bandwidths.core_trunk, hardware.core_trunk);
    if (hardware.pcie) {
      set(kPcie, bandwidths.pcie, *hardware.pcie);
    }
  }

  const LinkFigures& of(LinkIndex link) const {
    assert(link >= 0 && link < layout.num_links());
    return figures[static_cast<std::size_t>(layout.kind_of_link(link))];
  }
  std::int64_t num_devices() const {
    return nodes.empty() ? layout.num_gpus() : std::ssize(nodes) * layout.gpus_per_node;
  }
  /// The hardware's own number of a device.
  DeviceIndex own(DeviceIndex device) const {
    if (nodes.empty()) {
      return device;
    }
    const auto per_node = static_cast<DeviceIndex>(layout.gpus_per_node);
    return nodes[static_cast<std::size_t>(device / per_node)] * per_node + device % per_node;
  }
  Route over(LinkIndex link) const { return {.links = {link}, .latency = of(link).latency}; }
  bool has_impaired_links() const { return impaired && impaired->condition.has_impaired_links(); }
  bool has_dead_links() const { return impaired && impaired->condition.has_dead_links(); }
  Route between(DeviceIndex source, DeviceIndex destination) const {
    const DeviceIndex from = own(source), to = own(destination);
    // build() has found that a way lives.
    return has_dead_links() ? *living_route(layout, impaired->condition, from, to)
                            : rail_route(layout, from, to);
  }

 private:
  void set(LinkKind kind, BytesPerSecond bandwidth, const LinkSpec& spec) {
    figures[static_cast<std::size_t>(kind)] = {bandwidth, spec.latency.value};
  }
};

Result<Cluster> Cluster::build(Hardware hardware, NodeList nodes) {
  if (const auto problem = find_problem(hardware)) {
    return bad_input(fmt::format("{}: {}", problem->key, problem->message));
  }
  if (const std::string problem = find_node_problem(nodes, hardware.num_nodes); !problem.empty()) {
    return bad_input(fmt::format("nodes: {}", problem));
  }
  if (are_first_nodes(nodes)) {
    nodes.clear();
  }
  auto machine = std::make_unique<Machine>(std::move(hardware), std::move(nodes));
  if (!machine->hardware.condition.empty()) {
    PORTOLAN_TRY(ClusterCondition condition,
                 ClusterCondition::resolve(machine->layout, machine->hardware.condition));
    if (!condition.empty()) {
      Hardware as_meant = machine->hardware;
      as_meant.condition.clear();
      PORTOLAN_TRY(Cluster healthy, build(std::move(as_meant), machine->nodes));
      machine->impaired = std::make_unique<const Machine::Impaired>(
          Machine::Impaired{.condition = std::move(condition), .healthy = std::move(healthy)});
    }
  }
  return Cluster(std::move(machine));
}

Cluster::Cluster(std::unique_ptr<Machine> machine) : machine_(std::move(machine)) {}
Cluster::Cluster(Cluster&&) noexcept = default;
Cluster& Cluster::operator=(Cluster&&) noexcept = default;
Cluster::~Cluster() = default;

const Hardware& Cluster::hardware() const { return machine_->hardware; }
std::int64_t Cluster::num_devices() const { return machine_->num_devices(); }
std::int64_t Cluster::num_links() const { return machine_->layout.num_links(); }
std::string Cluster::link_name(LinkIndex link) const { return name_of_link(machine_->layout, link); }
BytesPerSecond Cluster::bandwidth(LinkIndex link) const {
  const BytesPerSecond whole = machine_->of(link).bandwidth;
  return machine_->has_impaired_links() ? whole * machine_->impaired->condition.link_share(link) : whole;
}
Seconds Cluster::latency(LinkIndex link) const { return machine_->of(link).latency; }

bool Cluster::is_healthy() const { return machine_->impaired == nullptr; }
bool Cluster::has_impaired_links() const { return machine_->has_impaired_links(); }
const Cluster& Cluster::healthy() const { return machine_->impaired ? machine_->impaired->healthy : *this; }

bool Cluster::is_usable(std::int64_t node) const {
  assert(node >= 0 && node * machine_->layout.gpus_per_node < num_devices());
  return !machine_->impaired || !machine_->impaired->condition.is_failed(machine_node(node));
}

double Cluster::speed(DeviceIndex device) const {
  assert(device >= 0 && device < num_devices());
  return machine_->impaired ? machine_->impaired->condition.gpu_share(machine_->own(device)) : 1;
}

bool Cluster::is_disturbed(LinkIndex link) const {
  if (!machine_->has_impaired_links()) {
    return false;
  }
  const ClusterCondition& condition = machine_->impaired->condition;
  const LinkKind kind = kind_of_link(link);
  const bool within_node = kind == LinkKind::kNvLink || kind == LinkKind::kPcie;
  return condition.link_share(link) < 1 || (condition.has_dead_links() && !within_node);
}

std::int64_t Cluster::node_of(DeviceIndex device) const {
  assert(device >= 0 && device < num_devices());
  return machine_->layout.node_of_gpu(device);
}

std::int64_t Cluster::machine_node(std::int64_t node) const {
  const NodeList& nodes = machine_->nodes;
  return nodes.empty() ? node : nodes[static_cast<std::size_t>(node)];
}

bool Cluster::is_regular() const { return machine_->nodes.empty() && !machine_->has_impaired_links(); }

std::int64_t Cluster::num_vertices(VertexKind kind) const { return machine_->layout.num_vertices(kind); }

VertexKind Cluster::kind_of(VertexIndex vertex) const {
  assert(vertex >= 0 && vertex < machine_->layout.num_vertices());
  return machine_->layout.kind_of_vertex(vertex);
}

Route Cluster::route(DeviceIndex source, DeviceIndex destination) const {
  assert(source >= 0 && source < num_devices());
  assert(destination >= 0 && destination < num_devices());
  Route route = machine_->between(source, destination);
  for (const LinkIndex link : route.links) {
    route.latency += latency(link);
  }
  return route;
}

LinkList Cluster::links_between(DeviceIndex source, DeviceIndex destination) const {
  assert(source >= 0 && source < num_devices());
  assert(destination >= 0 && destination < num_devices());
  return machine_->between(source, destination).links;
}

bool Cluster::is_core_trunk(LinkIndex link) const { return machine_->layout.is_core_trunk(link); }

Cluster::CoreTrunks Cluster::core_trunks_beside(LinkIndex trunk) const {
  const ClusterLayout& layout = machine_->layout;
  const auto place = static_cast<std::int32_t>(layout.numbered(trunk).number % layout.num_cores);
  return {.first = trunk - 2 * place, .count = static_cast<std::int32_t>(layout.num_cores), .place = place};
}

bool Cluster::is_alike_when_moved(DeviceIndex first, DeviceIndex last, std::int64_t shift) const {
  assert(first >= 0 && first <= last && last < num_devices());
  const ClusterLayout& layout = machine_->layout;
  if (first + shift < 0 || last + shift >= num_devices() || shift % layout.gpus_per_node != 0) {
    return false;
  }
  if (!is_regular()) {
    return shift == 0;
  }
  if (layout.node_of_gpu(first) == layout.node_of_gpu(last)) {
    return true;
  }
  const auto pod_of = [&](std::int64_t gpu) { return layout.pod_of_node(layout.node_of_gpu(gpu)); };
  const auto group_of = [&](std::int64_t gpu) { return layout.group_of_pod(pod_of(gpu)); };
  if (pod_of(first) == pod_of(last)) {
    return pod_of(first + shift) == pod_of(last + shift);
  }
  if (group_of(first) == group_of(last)) {
    // Whole pods further each payload meets the spine that is as many places further.
    return shift % (layout.nodes_per_pod * layout.gpus_per_node) == 0 &&
           group_of(first + shift) == group_of(last + shift);
  }
  // Whole groups further the same spine of the group, and so the core switch that is as many further for all.
  const std::int64_t nodes = shift / layout.gpus_per_node;
  return nodes % (layout.nodes_per_pod * layout.pods_per_group) == 0 &&
         layout.numbers_in(nodes) % layout.spines_per_group == 0;
}

std::optional<LinkIndex> Cluster::moved(LinkIndex link, std::int64_t shift) const {
  return is_regular() || shift == 0
             ? machine_->layout.moved_by_nodes(link, shift / machine_->layout.gpus_per_node)
             : std::nullopt;
}

LinkKind Cluster::kind_of_link(LinkIndex link) const { return machine_->layout.kind_of_link(link); }

Cluster::LinkOwner Cluster::owner_of(LinkIndex link) const {
  const ClusterLayout& layout = machine_->layout;
  const auto [kind, number] = layout.numbered(link);
  const bool upward = ClusterLayout::is_upward(link);
  switch (kind) {
    case LinkKind::kNic:
      return {LinkOwner::Kind::kNode, number / layout.nics_per_node, upward};
    case LinkKind::kTrunk:
      return {LinkOwner::Kind::kPod, number / layout.spines_per_group / layout.leaves_per_pod, upward};
    case LinkKind::kCoreTrunk:
      return {LinkOwner::Kind::kGroup, number / layout.num_cores / layout.spines_per_group, upward};
    default:
      return {LinkOwner::Kind::kNode, number / layout.gpus_per_node, upward};
  }
}

std::optional<std::int32_t> Cluster::rail_width() const {
  return machine_->has_impaired_links() ? std::nullopt : machine_->layout.rail_width();
}

std::optional<std::int32_t> Cluster::place_in_node(LinkIndex link) const {
  const auto rail = machine_->layout.rail_of_link(link);
  return rail ? std::optional(static_cast<std::int32_t>(rail->place)) : std::nullopt;
}

LinkIndex Cluster::moved_within_nodes(LinkIndex link, std::int32_t places) const {
  const ClusterLayout& layout = machine_->layout;
  return static_cast<LinkIndex>(link +
                                layout.rail_of_link(link)->links_apart * (places / *layout.rail_width()));
}

std::optional<std::int32_t> Cluster::alike_nodes() const {
  return !is_regular() ? std::nullopt : machine_->layout.alike_nodes();
}

std::int32_t Cluster::node_in_pod(LinkIndex link) const {
  return static_cast<std::int32_t>(machine_->layout.node_of_link(link).node);
}

LinkIndex Cluster::moved_within_pods(LinkIndex link, std::int32_t nodes) const {
  return static_cast<LinkIndex>(link + machine_->layout.node_of_link(link).links_apart * nodes);
}

std::optional<Route> Cluster::host_route(DeviceIndex device) const {
  assert(device >= 0 && device < num_devices());
  return machine_->hardware.pcie
             ? std::optional(machine_->over(machine_->layout.pcie_up(machine_->own(device))))
             : std::nullopt;
}

std::optional<Route> Cluster::route_from_host(DeviceIndex device) const {
  assert(device >= 0 && device < num_devices());
  return machine_->hardware.pcie
             ? std::optional(machine_->over(machine_->layout.pcie_down(machine_->own(device))))
             : std::nullopt;
}

BytesPerSecond Cluster::bisection_bandwidth() const {
  return smallest_bisection(machine_->layout, machine_->bandwidths);
}

}  // namespace portolan
