#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "topology/hardware.h"
#include "topology/node_list.h"

namespace portolan {

enum class VertexKind : std::uint8_t {
  kHost,
  kGpu,
  kNvSwitch,
  kNic,
  kLeafSwitch,
  kSpineSwitch,
  kCoreSwitch,
  kPcieSwitch,
};

/// Dense index of a GPU: node * gpus_per_node + place in node.
using DeviceIndex = std::int32_t;
/// Dense index of a directed link.
using LinkIndex = std::int32_t;
/// Dense index of a vertex; GPUs come first, so that device d is vertex d.
using VertexIndex = std::int32_t;

/// What links there are: trunks between leaves and spines, core trunks above spines.
enum class LinkKind : std::uint8_t { kNvLink, kNic, kTrunk, kCoreTrunk, kPcie };
inline constexpr std::size_t kNumLinkKinds = 5;

/// The links of a route, in order. No route has more than kMaxSize, and none needs memory of its own: whoever
/// prices a collective asks for a route for each of its flows.
class LinkList {
 public:
  /// NVLink up and down, PCIe, network card, trunk, core trunk, and all of it the other way; NVLink there is
  /// crossed by detours alone.
  static constexpr std::size_t kMaxSize = 12;

  LinkList() = default;
  LinkList(std::initializer_list<LinkIndex> links) {
    for (const LinkIndex link : links) {
      push_back(link);
    }
  }
  /// Precondition: size() < kMaxSize.
  void push_back(LinkIndex link) { links_[size_++] = link; }

  const LinkIndex* begin() const { return links_.data(); }
  const LinkIndex* end() const { return links_.data() + size_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  /// Precondition: not empty.
  LinkIndex front() const { return links_.front(); }
  LinkIndex back() const { return links_[size_ - 1]; }

  bool operator==(const LinkList&) const = default;

 private:
  std::array<LinkIndex, kMaxSize> links_{};  ///< 0 beyond size_
  std::size_t size_ = 0;
};

/// The links that a payload crosses, in order, and the sum of their latencies.
struct Route {
  LinkList links;
  Seconds latency;

  bool operator==(const Route&) const = default;
};

/// The machine: GPUs, NVSwitches, network cards, leaf, spine and core switches, hosts, PCIe switches and the
/// links between them. All is arithmetic on indices, so that a cluster of any size is built and asked in
/// constant time; device_graph.h has the same as a graph. Immutable once built; safe to read from several
/// threads. What Hardware::condition says is wrong shows in bandwidths, speeds and routes: these are of the
/// cluster as it is.
class Cluster {
 public:
  /// nodes: those that a job has. Devices and their nodes are then numbered along them, links and their
  /// owners as the hardware has them; nodes 0, 1, ... are as good as none. Errors (kBadInput): what
  /// find_problem(hardware) finds; what find_node_problem does.
  static Result<Cluster> build(Hardware hardware, NodeList nodes = {});

  Cluster(Cluster&&) noexcept;
  Cluster& operator=(Cluster&&) noexcept;
  ~Cluster();

  const Hardware& hardware() const;
  /// The cluster as if nothing were wrong: itself, where nothing is. As long as this one lives.
  const Cluster& healthy() const;
  bool is_healthy() const;
  bool has_impaired_links() const;
  /// Whether ranks can be on the node: it has not failed.
  bool is_usable(std::int64_t node) const;
  /// How fast the GPU computes, as a share of the device's speed.
  double speed(DeviceIndex device) const;
  /// Whether payloads over the link find another than on the healthy cluster: it is impaired or, between
  /// nodes, detours may cross it. What detours put on links within nodes, a card's payloads, counts for
  /// little there.
  bool is_disturbed(LinkIndex link) const;
  std::int64_t num_devices() const;
  std::int64_t node_of(DeviceIndex device) const;
  /// Which of the hardware's nodes that one is.
  std::int64_t machine_node(std::int64_t node) const;
  /// Whether nodes lie as they are numbered, and no link is impaired. Else nothing is known to be alike when
  /// it is moved from node to node: what is_alike_when_moved, moved and alike_nodes tell is nothing.
  bool is_regular() const;
  /// Link indices are below. Precondition of what takes one: it is.
  std::int64_t num_links() const;
  /// "node3.gpu5->nvswitch": unique.
  std::string link_name(LinkIndex link) const;
  /// Achievable: that of its class times its efficiency; of a trunk, of its parallel links together. What is
  /// left of it; of a dead link nothing.
  BytesPerSecond bandwidth(LinkIndex link) const;
  /// Of one traversal.
  Seconds latency(LinkIndex link) const;
  std::int64_t num_vertices(VertexKind kind) const;
  VertexKind kind_of(VertexIndex vertex) const;

  /// Path of a payload between two GPUs by the rail policy: inside a node through the NVSwitch; between
  /// nodes on the destination's rail, entering it over the source node's NVSwitch when the source is on
  /// another rail; between pods through the spine, between groups also through the core switch, chosen by
  /// the destination's card. Where PCIe has figures, it is crossed on the way to a card and from it. Around
  /// dead links: detour.h. Empty when source == destination. Precondition: neither node has failed.
  Route route(DeviceIndex source, DeviceIndex destination) const;
  /// Its links alone.
  LinkList links_between(DeviceIndex source, DeviceIndex destination) const;

  // Where links are impaired, nothing is taken to be alike: false and nothing from here to alike_nodes().

  /// Whether payloads among the devices from `first` to `last` find the same when each of them is moved by
  /// `shift` devices: as many links of the same bandwidths and latencies, shared by the same of them. And
  /// whether those of the two places share no link, where no node holds devices of both, nor, if first and
  /// last are in different pods, any pod, or in different groups, any group. False also where it might be but
  /// is not obvious.
  bool is_alike_when_moved(DeviceIndex first, DeviceIndex last, std::int64_t shift) const;
  /// The link that such payloads find in place of `link`, each another; nothing where they cannot cross it.
  std::optional<LinkIndex> moved(LinkIndex link, std::int64_t shift) const;

  LinkKind kind_of_link(LinkIndex link) const;
  /// What a link belongs to, by its dense index: a node's NVLink, PCIe and network cards, a pod's trunks, a
  /// group's core trunks. Upward: away from GPUs.
  struct LinkOwner {
    enum class Kind : std::uint8_t { kNode, kPod, kGroup };
    Kind kind = Kind::kNode;
    std::int64_t index = 0;
    bool upward = false;
  };
  LinkOwner owner_of(LinkIndex link) const;

  /// By how many places all devices of any payloads can be moved within their nodes, also by multiples, so
  /// that these find the same up to core switches, on links that nobody else crosses: the GPUs of a card.
  /// Nothing where all cards of a pod share a leaf.
  std::optional<std::int32_t> rail_width() const;
  /// The first place within its node of a GPU that can use the link; nothing for core trunks, which rails
  /// share. Precondition: rail_width() has a value.
  std::optional<std::int32_t> place_in_node(LinkIndex link) const;
  /// The link that payloads cross instead when they are moved so. Preconditions: place_in_node(link) has a
  /// value and is still within the node; `places` is a multiple of rail_width().
  LinkIndex moved_within_nodes(LinkIndex link, std::int32_t places) const;
  bool is_core_trunk(LinkIndex link) const;

  /// How many nodes a pod has where payloads between nodes that lie alike in their pods, moved by some nodes
  /// within these, find the same, on links that nobody else crosses. Nothing where nodes share spines, or all
  /// cards of a pod a leaf, or with one pod.
  std::optional<std::int32_t> alike_nodes() const;
  /// By how many nodes payloads are moved from the first of their pods that cross the link. Precondition
  /// here and below: alike_nodes() has a value.
  std::int32_t node_in_pod(LinkIndex link) const;
  /// The link that payloads cross instead when they are moved so. Precondition: they stay within their pods.
  LinkIndex moved_within_pods(LinkIndex link, std::int32_t nodes) const;
  /// The core trunks of a spine in one direction, and the place of one among them: payloads that are moved so
  /// many rails further within their nodes cross the one that is as many places further; after the last comes
  /// the first.
  struct CoreTrunks {
    LinkIndex first = 0;
    std::int32_t count = 0;
    std::int32_t place = 0;

    LinkIndex at(std::int32_t further) const { return first + 2 * ((place + further) % count); }
  };
  CoreTrunks core_trunks_beside(LinkIndex trunk) const;

  /// Path of a payload from a GPU to its node's host, and back. Nothing where PCIe has no figures.
  std::optional<Route> host_route(DeviceIndex device) const;
  std::optional<Route> route_from_host(DeviceIndex device) const;

  /// Smallest total bandwidth of the links between two halves of the nodes, one direction. With one node:
  /// between two halves of its GPUs. Of the healthy cluster.
  BytesPerSecond bisection_bandwidth() const;

 private:
  struct Machine;
  explicit Cluster(std::unique_ptr<Machine> machine);
  std::unique_ptr<Machine> machine_;
};

/// The members of a group in the order of a ring that crosses each node once: members of a node
/// stay together, nodes and members in ascending order. Precondition: members are distinct.
std::vector<DeviceIndex> ring_order(const Cluster& cluster, std::vector<DeviceIndex> members);

}  // namespace portolan
