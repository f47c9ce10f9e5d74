#include "plan/link_contention.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace portolan {

namespace {

/// What sums of the same figures in another order may differ by.
constexpr double kRoundingOfLoads = 1e-9;

bool is_clearly_less(double a, double b) { return a < b * (1 - kRoundingOfLoads); }

}  // namespace

bool LinkLoad::is_less_than(const LinkLoad& other) const {
  if (is_clearly_less(busiest.value, other.busiest.value)) {
    return true;
  }
  return !is_clearly_less(other.busiest.value, busiest.value) && is_clearly_less(crowding, other.crowding);
}

LinkContention::LinkContention(const std::vector<TrafficClass>& traffic, const Cluster& machine,
                               NodeList nodes)
    : machine_(machine), nodes_(std::move(nodes)), loads_(traffic.size()) {
  const auto per_node = static_cast<std::int32_t>(machine.hardware().gpus_per_node);
  for (std::size_t c = 0; c < traffic.size(); ++c) {
    for (const Flow& flow : traffic[c].flows) {
      const NodeFlow added{.traffic_class = static_cast<std::int32_t>(c),
                           .source_node = flow.source / per_node,
                           .source_place = flow.source % per_node,
                           .destination_node = flow.destination / per_node,
                           .destination_place = flow.destination % per_node,
                           .bytes = flow.bytes};
      for (const std::int32_t node : {added.source_node, added.destination_node}) {
        const auto index = static_cast<std::size_t>(node);
        if (index >= flows_of_node_.size()) {
          flows_of_node_.resize(index + 1);
        }
        flows_of_node_[index].push_back(static_cast<std::int32_t>(flows_.size()));
      }
      flows_.push_back(added);
    }
  }
  assert(nodes_.size() >= flows_of_node_.size());
  place_of_link_.assign(static_cast<std::size_t>(machine.num_links()), kNotShared);
  for (std::size_t link = 0; link < place_of_link_.size(); ++link) {
    const auto index = static_cast<LinkIndex>(link);
    const LinkKind kind = machine.kind_of_link(index);
    if (kind != LinkKind::kNvLink && kind != LinkKind::kPcie) {
      place_of_link_[link] = static_cast<std::int32_t>(seconds_per_byte_.size());
      seconds_per_byte_.push_back(1 / machine.bandwidth(index).value);
    }
  }
  for (ClassLoad& of_class : loads_) {
    of_class.seconds.assign(seconds_per_byte_.size(), 0);
  }
  for (const NodeFlow& flow : flows_) {
    add(flow, 1);
  }
}

DeviceIndex LinkContention::device(std::int32_t node, std::int32_t place) const {
  return static_cast<DeviceIndex>(nodes_[static_cast<std::size_t>(node)] * machine_.hardware().gpus_per_node +
                                  place);
}

const LinkContention::SharedPath& LinkContention::path_between(DeviceIndex source, DeviceIndex destination) {
  const auto [found, is_new] = paths_.try_emplace(source * machine_.num_devices() + destination);
  SharedPath& path = found->second;
  if (is_new) {
    for (const LinkIndex link : machine_.links_between(source, destination)) {
      if (const std::int32_t place = place_of_link_[static_cast<std::size_t>(link)]; place != kNotShared) {
        path.places[path.size++] = place;
      }
    }
  }
  return path;
}

void LinkContention::add(const NodeFlow& flow, double times) {
  const SharedPath& path = path_between(device(flow.source_node, flow.source_place),
                                        device(flow.destination_node, flow.destination_place));
  ClassLoad& load = loads_[static_cast<std::size_t>(flow.traffic_class)];
  for (std::size_t i = 0; i < path.size; ++i) {
    const auto place = static_cast<std::size_t>(path.places[i]);
    double& seconds = load.seconds[place];
    const double before = seconds;
    seconds += times * flow.bytes * seconds_per_byte_[place];
    crowding_ += (seconds - before) * (seconds + before);
    load.is_most_stale = load.is_most_stale || (times < 0 && before >= load.most);
    load.most = std::max(load.most, seconds);
  }
}

void LinkContention::add_all_of(std::size_t a, std::size_t b, double times) {
  for (const std::int32_t flow : flows_of_node_[a]) {
    add(flows_[static_cast<std::size_t>(flow)], times);
  }
  if (b >= num_used()) {
    return;
  }
  const auto first = static_cast<std::int32_t>(a);
  for (const std::int32_t index : flows_of_node_[b]) {
    const NodeFlow& flow = flows_[static_cast<std::size_t>(index)];
    if (flow.source_node != first && flow.destination_node != first) {  // else it is one of a's
      add(flow, times);
    }
  }
}

void LinkContention::swap(std::size_t a, std::size_t b) {
  assert(a < num_used() && b < nodes_.size() && a != b);
  add_all_of(a, b, -1);
  std::swap(nodes_[a], nodes_[b]);
  add_all_of(a, b, 1);
}

LinkLoad LinkContention::load() {
  LinkLoad load{.busiest = Seconds(0), .crowding = crowding_};
  for (ClassLoad& of_class : loads_) {
    if (of_class.is_most_stale) {
      of_class.most = *std::max_element(of_class.seconds.begin(), of_class.seconds.end());
      of_class.is_most_stale = false;
    }
    load.busiest += Seconds(of_class.most);
  }
  return load;
}

}  // namespace portolan
