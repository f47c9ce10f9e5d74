#include "plan/told_blocks.h"

namespace portolan {

namespace {

struct Pods {
  std::int64_t devices = 1;  ///< of one
  std::int64_t in_group = 1;

  explicit Pods(const Cluster& cluster) {
    const Hardware& hardware = cluster.hardware();
    const bool is_one = hardware.num_nodes == 1 || hardware.nodes_per_pod == 0;
    devices = hardware.gpus_per_node * (is_one ? hardware.num_nodes : hardware.nodes_per_pod);
    in_group = hardware.pods_per_group == 0 ? hardware.num_nodes : hardware.pods_per_group;
  }
  bool are_one(const ToldBlocks::Blocks& blocks) const {
    return blocks.first / devices == blocks.last / devices;
  }
};

std::int64_t rounded_down(std::int64_t value, std::int64_t unit) { return value - value % unit; }

}  // namespace

bool ToldBlocks::are_apart(const Cluster& cluster, const Blocks& blocks) {
  const Pods pods(cluster);
  const std::int64_t gpus_per_node = cluster.hardware().gpus_per_node;
  const std::int64_t own = pods.are_one(blocks) ? gpus_per_node : pods.devices;
  const std::int64_t group = pods.devices * pods.in_group;
  return blocks.apart % own == 0 &&
         rounded_down(blocks.last, own) < rounded_down(blocks.first, own) + blocks.apart &&
         blocks.first / group == blocks.last / group;
}

bool ToldBlocks::is_told(const Cluster& cluster, std::int64_t place) const {
  return place != 0 && place >= -blocks_.before && place <= blocks_.behind &&
         cluster.is_alike_when_moved(blocks_.first, blocks_.last, place * blocks_.apart);
}

std::int64_t ToldBlocks::place_of(std::int64_t device, std::int64_t own) const {
  const std::int64_t before = blocks_.before * blocks_.apart;
  const std::int64_t further = device - rounded_down(blocks_.first, own) + before;
  return further < 0 ? kNowhere : further / blocks_.apart - blocks_.before;
}

std::int64_t ToldBlocks::place_of(const Cluster& cluster, LinkIndex link) const {
  const Pods pods(cluster);
  const Cluster::LinkOwner owner = cluster.owner_of(link);
  const std::int64_t gpus_per_node = cluster.hardware().gpus_per_node;
  switch (owner.kind) {
    case Cluster::LinkOwner::Kind::kNode:
      return place_of(owner.index * gpus_per_node, gpus_per_node);
    case Cluster::LinkOwner::Kind::kPod:
      return pods.are_one(blocks_) ? kNowhere : place_of(owner.index * pods.devices, pods.devices);
    case Cluster::LinkOwner::Kind::kGroup:
      break;
  }
  return kNowhere;
}

std::int32_t ToldBlocks::num_silent(const Cluster& cluster, DeviceIndex device) const {
  const std::int64_t gpus_per_node = cluster.hardware().gpus_per_node;
  const std::int64_t place = place_of(device, gpus_per_node);
  const std::int64_t next = rounded_down(blocks_.first, gpus_per_node) + (place + 1) * blocks_.apart;
  return is_told(cluster, place) ? static_cast<std::int32_t>(next - device) : 0;
}

LinkIndex ToldBlocks::told(const Cluster& cluster, LinkIndex link) const {
  const std::int64_t place = place_of(cluster, link);
  return is_told(cluster, place) ? *cluster.moved(link, -place * blocks_.apart) : link;
}

ToldBlocks ToldBlocks::moved(DeviceIndex devices) const {
  Blocks blocks = blocks_;
  blocks.first += devices;
  blocks.last += devices;
  return ToldBlocks(blocks);
}

}  // namespace portolan
