#include "plan/transfer_count.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "plan/group_flows.h"
#include "plan/rank_place.h"

namespace portolan {

namespace {

/// Flows of all groups of a stage that do an op, or of those of one rail.
class FlowCount {
 public:
  FlowCount(const GroupFlows& flows, std::int32_t stage, bool one_rail)
      : flows_(flows), stage_(stage), one_rail_(one_rail) {}

  std::int64_t of(const Op& op) {
    // A send and its receive are one transfer, and both end stages share theirs.
    if (op.kind == OpKind::kReceive || (op.group == GroupKind::kFirstAndLastStage && stage_ > 0)) {
      return 0;
    }
    const auto found = std::find_if(known_.begin(), known_.end(),
                                    [&](const auto& known) { return flow_alike(*known.first, op); });
    if (found != known_.end()) {
      return found->second;
    }
    std::int64_t count = 0;
    for (const FlowSet& set : flows_.all_groups(op, stage_)) {
      count += is_counted(op, set) ? std::ssize(set.flows) : 0;
    }
    return known_.emplace_back(&op, count).second;
  }

 private:
  /// Members of a group that no axis divides into rails are all of one.
  bool is_counted(const Op& op, const FlowSet& set) const {
    if (!one_rail_ || op.axes.contains(Axis::kTensor) || set.flows.empty()) {
      return true;
    }
    const Flow& any = set.flows.front();
    const std::int32_t rank = any.source == kHostEnd ? any.destination : any.source;
    return flows_.placement().coordinates_of(rank)[static_cast<std::size_t>(Axis::kTensor)] == 0;
  }

  const GroupFlows& flows_;
  std::int32_t stage_;
  bool one_rail_;
  std::deque<std::pair<const Op*, std::int64_t>> known_;  ///< a handful of shapes
};

}  // namespace

std::int64_t count_transfers(const CostedProgram& program, const Cluster& cluster) {
  const Program& source = *program.source;
  const GroupFlows flows(placement_of(source), cluster);
  const bool one_rail = program.fidelity == Fidelity::kReplicas;
  std::int64_t count = 0;
  for (std::size_t s = 0; s < source.stages.size(); ++s) {
    const Stage& stage = source.stages[s];
    FlowCount of_op(flows, static_cast<std::int32_t>(s), one_rail);
    for (std::size_t slot = 0; slot < stage.order.size(); ++slot) {
      const Template& t = stage.templates[static_cast<std::size_t>(stage.order[slot].template_index)];
      for (const CostedOp& op : program.stages[s].in_slot(static_cast<std::int32_t>(slot)).ops) {
        if (op.kind != OpKind::kCompute && !op.is_timed) {
          count += of_op.of(t.ops[static_cast<std::size_t>(op.parts.front().op)]);
        }
      }
    }
  }
  return count;
}

}  // namespace portolan
