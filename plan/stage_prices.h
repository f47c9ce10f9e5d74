#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "plan/cost.h"
#include "plan/op_flows.h"
#include "plan/program.h"

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

/// What the ops of one stage take: compute, with what the host and collectives beside it cost it, and
/// collectives within kernels that meet nothing.
class StagePrices {
 public:
  /// `stage` must outlive it.
  StagePrices(const Stage& stage, const KernelCost& kernel_cost, CollectiveCost& collective_cost);

  Seconds time(std::int32_t template_index, std::size_t op) const {
    return of_op_[static_cast<std::size_t>(template_index)][op];
  }
  /// Of the whole step.
  Seconds busy() const;

 private:
  const Stage& stage_;
  std::vector<std::vector<Seconds>> of_op_;  ///< by template
};

}  // namespace portolan
