#include "plan/rate_changes.h"

#include <algorithm>
#include <map>
#include <string>

#include "plan/rank_place.h"

namespace portolan {

namespace {

/// The GPUs of one unit.
std::vector<DeviceIndex> devices_of(const CostedProgram& program, const Unit& unit) {
  const Placement& placement = program.flows->groups().placement();
  return placement.ranks_along(unit.rank,
                               program.fidelity == Fidelity::kExplicit ? AxisSet{} : AxisSet{Axis::kTensor});
}

/// Speeds of units while those of their GPUs change.
class UnitSpeeds {
 public:
  UnitSpeeds(const CostedProgram& program, const UnfoldedProgram& unfolded, const Cluster& cluster)
      : cluster_(cluster) {
    for (std::size_t u = 0; u < unfolded.units.size(); ++u) {
      devices_.push_back(devices_of(program, unfolded.units[u]));
      for (const DeviceIndex device : devices_.back()) {
        unit_of_[on_machine(device)] = u;
      }
    }
    speeds_.assign(devices_.size(), 1.0);
  }

  void start(std::vector<RateChange>& into) {
    for (std::size_t u = 0; u < devices_.size(); ++u) {
      note(u, Seconds(0), into);
    }
  }
  /// A GPU that no rank is on changes nothing.
  void change(const ShareChange& change, std::vector<RateChange>& into) {
    shares_[change.index] = change.share;
    if (const auto unit = unit_of_.find(change.index); unit != unit_of_.end()) {
      note(unit->second, change.at, into);
    }
  }

 private:
  /// The hardware's number of a rank's GPU, by which events name it.
  DeviceIndex on_machine(DeviceIndex device) const {
    const std::int64_t per_node = cluster_.hardware().gpus_per_node;
    return static_cast<DeviceIndex>(cluster_.machine_node(cluster_.node_of(device)) * per_node +
                                    device % per_node);
  }
  void note(std::size_t unit, Seconds at, std::vector<RateChange>& into) {
    double speed = 1;
    for (const DeviceIndex device : devices_[unit]) {
      const auto share = shares_.find(on_machine(device));
      speed = std::min(speed, cluster_.speed(device) * (share == shares_.end() ? 1 : share->second));
    }
    if (speed != speeds_[unit]) {
      into.push_back({.at = at,
                      .kind = RateChange::Kind::kDevice,
                      .index = static_cast<std::int32_t>(unit),
                      .share = speed});
      speeds_[unit] = speed;
    }
  }

  const Cluster& cluster_;
  std::vector<std::vector<DeviceIndex>> devices_;  ///< by unit
  std::map<DeviceIndex, std::size_t> unit_of_;
  std::map<DeviceIndex, double> shares_;  ///< that events leave
  std::vector<double> speeds_;            ///< by unit, as they are now
};

}  // namespace

Seconds fixed_part(const CostedProgram& program, std::int32_t stage, std::int32_t slot, const CostedOp& op) {
  if (op.is_timed) {
    return op.duration;
  }
  const Stage& source = program.source->stages[static_cast<std::size_t>(stage)];
  const std::int32_t of_slot = source.order[static_cast<std::size_t>(slot)].template_index;
  const Template& t = source.templates[static_cast<std::size_t>(of_slot)];
  Seconds fixed;
  for (const CostedPart& part : op.parts) {
    const bool computes = t.ops[static_cast<std::size_t>(part.op)].kind == OpKind::kCompute;
    fixed += computes ? part.wait : part.duration;
  }
  return std::min(fixed, op.duration);
}

std::vector<RateChange> rate_changes(const CostedProgram& program, const UnfoldedProgram& unfolded,
                                     const Cluster& cluster, std::span<const ShareChange> changes) {
  std::vector<RateChange> rates;
  UnitSpeeds speeds(program, unfolded, cluster);
  speeds.start(rates);
  std::map<std::string, std::int32_t> link_of_name;
  const bool of_links = std::any_of(changes.begin(), changes.end(), [](const ShareChange& change) {
    return change.kind == ShareChange::Kind::kLink;
  });
  for (std::size_t i = 0; of_links && i < unfolded.graph.links.size(); ++i) {
    link_of_name[unfolded.graph.links[i].name] = static_cast<std::int32_t>(i);
  }
  for (const ShareChange& change : changes) {
    if (change.kind == ShareChange::Kind::kGpu) {
      speeds.change(change, rates);
    } else if (const auto link = link_of_name.find(cluster.link_name(change.index));
               link != link_of_name.end()) {
      rates.push_back(
          {.at = change.at, .kind = RateChange::Kind::kLink, .index = link->second, .share = change.share});
    }
  }
  return rates;
}

}  // namespace portolan
