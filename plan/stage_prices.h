#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "plan/cost.h"
#include "plan/op_flows.h"
#include "plan/program.h"
#include "plan/slot_turn.h"

namespace portolan {

/// Uncontended time of collectives on one stage, all groups together; computed once each.
class CollectiveCost {
 public:
  /// `flows` must outlive it.
  CollectiveCost(OpFlowsTable& flows, std::int32_t stage) : flows_(flows), stage_(stage) {}

  Seconds time(const Op& op) { return priced(op).time; }
  bool stays_in_nodes(const Op& op) { return priced(op).stays_in_nodes; }

 private:
  struct Price {
    Seconds time;
    bool stays_in_nodes = false;
  };
  const Price& priced(const Op& op);

  OpFlowsTable& flows_;
  std::int32_t stage_;
  std::deque<std::pair<const Op*, Price>> known_;  ///< a handful of shapes
};

/// What an op's kernels take, with the device to themselves.
Seconds device_time(const Op& op, const KernelCost& cost);

/// What the ops of one stage take: compute, with what the host and collectives beside it cost it, and
/// collectives within kernels that meet nothing.
class StagePrices {
 public:
  /// `stage` must outlive it.
  StagePrices(const Stage& stage, const KernelCost& kernel_cost, CollectiveCost& collective_cost);

  /// By op of the template, in a slot of that turn.
  std::vector<Seconds> times(std::int32_t template_index, SlotTurn turn) const;
  /// Of the whole step.
  Seconds busy() const;

 private:
  const Stage& stage_;
  double share_of_collectives_ = 0;
  std::vector<std::vector<Seconds>> of_op_;   ///< by template; compute with the device to itself
  std::vector<std::vector<Seconds>> beside_;  ///< ... of collectives beside compute, 0 of all else
};

}  // namespace portolan
