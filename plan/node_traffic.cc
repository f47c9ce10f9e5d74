#include "plan/node_traffic.h"

#include <algorithm>
#include <map>
#include <utility>

#include "plan/group_flows.h"
#include "plan/rank_place.h"

namespace portolan {

namespace {

/// Communications of one stage that have the same flows but for their sizes, as one of all their bytes.
std::vector<Op> communications_of(const Stage& stage) {
  std::vector<std::int64_t> slots(stage.templates.size());
  for (const Slot& slot : stage.order) {
    ++slots[static_cast<std::size_t>(slot.template_index)];
  }
  std::vector<Op> sums;
  for (std::size_t t = 0; t < stage.templates.size(); ++t) {
    for (const Op& op : stage.templates[t].ops) {
      if (op.kind != OpKind::kSend && op.kind != OpKind::kCollective) {
        continue;  // a receive is its send
      }
      const std::int64_t runs =
          op.occurrence == Occurrence::kEvery ? slots[t] : std::min<std::int64_t>(slots[t], 1);
      const auto found =
          std::find_if(sums.begin(), sums.end(), [&](const Op& known) { return flow_alike(known, op); });
      if (found == sums.end()) {
        sums.push_back(op);
        sums.back().bytes = Bytes(op.bytes.value * runs);
      } else {
        found->bytes += Bytes(op.bytes.value * runs);
      }
    }
  }
  return sums;
}

class TrafficSum {
 public:
  TrafficSum(const Program& program, const Cluster& cluster)
      : program_(program), cluster_(cluster), groups_(placement_of(program), cluster) {}

  std::vector<TrafficClass> run() {
    for (std::size_t s = 0; s < program_.stages.size(); ++s) {
      for (const Op& op : communications_of(program_.stages[s])) {
        add(op, static_cast<std::int32_t>(s));
      }
    }
    std::vector<TrafficClass> classes;
    for (const Class& sum : classes_) {
      if (sum.bytes.empty()) {
        continue;  // all of it within nodes
      }
      TrafficClass& made = classes.emplace_back();
      for (const auto& [ends, bytes] : sum.bytes) {
        made.flows.push_back({.source = ends.first, .destination = ends.second, .bytes = bytes});
      }
    }
    return classes;
  }

 private:
  struct Class {
    AxisSet axes;
    bool is_send = false;
    std::map<std::pair<DeviceIndex, DeviceIndex>, double> bytes;  ///< by source and destination
  };

  void add(const Op& op, std::int32_t stage) {
    if (op.group == GroupKind::kFirstAndLastStage && stage > 0) {
      return;  // the first stage's is theirs together
    }
    const bool is_send = op.kind == OpKind::kSend;
    auto found = std::find_if(classes_.begin(), classes_.end(), [&](const Class& known) {
      return known.axes == op.axes && known.is_send == is_send;
    });
    if (found == classes_.end()) {
      found = classes_.insert(classes_.end(), {op.axes, is_send, {}});
    }
    for (const FlowSet& set : groups_.all_groups(op, stage)) {
      for (const Flow& flow : set.flows) {
        if (cluster_.node_of(flow.source) != cluster_.node_of(flow.destination)) {
          found->bytes[{flow.source, flow.destination}] += flow.bytes;
        }
      }
    }
  }

  const Program& program_;
  const Cluster& cluster_;
  GroupFlows groups_;
  std::vector<Class> classes_;
};

}  // namespace

std::vector<TrafficClass> node_traffic(const Program& program, const Cluster& cluster) {
  return TrafficSum(program, cluster).run();
}

}  // namespace portolan
