#include "plan/stage_prices.h"

#include <algorithm>

#include "plan/beside_compute.h"
#include "plan/group_flows.h"
#include "plan/link_use.h"

namespace portolan {

Seconds device_time(const Op& op, const KernelCost& cost) {
  Seconds time;
  for (const Kernel& kernel : op.kernels) {
    time += cost.time(kernel);
  }
  return time;
}

namespace {

/// Kernels that the host launches one after another: a layer's forward, or its recomputation and backward.
bool are_of_one_pass(const Op& a, const Op& b) {
  const auto side = [](Phase phase) { return phase == Phase::kRecompute ? Phase::kBackward : phase; };
  return a.layer == b.layer && side(a.phase) == side(b.phase);
}

/// Whether the device waits for collective `o` before it computes on.
bool stops_compute(const Template& t, std::size_t o) {
  const auto next = std::find_if(t.ops.begin() + static_cast<std::ptrdiff_t>(o) + 1, t.ops.end(),
                                 [](const Op& op) { return op.kind == OpKind::kCompute; });
  return next != t.ops.end() &&
         std::any_of(next->predecessors.begin(), next->predecessors.end(), [&](const Predecessor& p) {
           return p.kind == Predecessor::Kind::kOp && p.op == static_cast<std::int32_t>(o);
         });
}

/// Adds to the last op of each pass through a layer what the host takes longer than the device, which waits
/// for collectives in between: within the pass the host launches ahead. `times`: of the template's ops.
void wait_for_host(const Template& t, const KernelCost& cost, std::vector<Seconds>& times) {
  const Op* pass = nullptr;  // its first op
  std::size_t last = 0;
  Seconds device;
  std::int64_t num_kernels = 0;
  const auto end_pass = [&] {
    if (pass != nullptr) {
      times[last] += cost.host_excess(device, num_kernels);
    }
    device = {};
    num_kernels = 0;
  };
  for (std::size_t o = 0; o < t.ops.size(); ++o) {
    const Op& op = t.ops[o];
    if (op.phase == Phase::kOptimizer) {
      continue;
    }
    if (op.kind == OpKind::kCompute) {
      if (pass == nullptr || !are_of_one_pass(*pass, op)) {
        end_pass();
        pass = &op;
      }
      last = o;
      num_kernels += std::ssize(op.kernels);
      device += times[o];
    } else if (is_within_kernels(op) && stops_compute(t, o)) {
      device += times[o];
    }
  }
  end_pass();
}

}  // namespace

const CollectiveCost::Price& CollectiveCost::priced(const Op& op) {
  const auto alike = [&](const std::pair<const Op*, Price>& known) {
    return known.first->bytes == op.bytes && flow_alike(*known.first, op);
  };
  const auto found = std::find_if(known_.begin(), known_.end(), alike);
  if (found != known_.end()) {
    return found->second;
  }
  // Groups within nodes are alike: one tells for all, without a look at their flows.
  const bool stays_in_nodes = flows_.groups().stay_in_nodes(op, stage_);
  const GroupFlows::Time time =
      stays_in_nodes ? flows_.groups().time_together(op, stage_) : flows_.of(op, stage_).time;
  const Price price{time.transfer + time.latency, stays_in_nodes};
  return known_.emplace_back(&op, price).second;
}

StagePrices::StagePrices(const Stage& stage, const KernelCost& kernel_cost, CollectiveCost& collective_cost)
    : stage_(stage), share_of_collectives_(kernel_cost.share_of_collectives()) {
  for (const Template& t : stage.templates) {
    std::vector<Seconds>& times = of_op_.emplace_back();
    for (const Op& op : t.ops) {
      times.push_back(op.kind == OpKind::kCompute ? device_time(op, kernel_cost)
                      : is_within_kernels(op)     ? collective_cost.time(op)
                                                  : Seconds(0));
    }
    wait_for_host(t, kernel_cost, times);
    std::vector<Seconds>& beside = beside_.emplace_back(t.ops.size());
    for (std::size_t o = 0; share_of_collectives_ > 0 && o < t.ops.size(); ++o) {
      if (t.ops[o].kind == OpKind::kCollective && !stops_compute(t, o)) {
        beside[o] = collective_cost.time(t.ops[o]);
      }
    }
    std::int32_t recomputed = Op::kNoLayer;  // the last layer
    for (std::size_t o = 0; o < t.ops.size(); ++o) {
      const Op& op = t.ops[o];
      if (op.kind == OpKind::kCompute && op.phase == Phase::kRecompute && op.layer != recomputed) {
        recomputed = op.layer;
        times[o] += kernel_cost.checkpoint_pause();
      }
    }
  }
}

std::vector<Seconds> StagePrices::times(std::int32_t template_index, SlotTurn turn) const {
  const auto index = static_cast<std::size_t>(template_index);
  const std::vector<Op>& ops = stage_.templates[index].ops;
  std::vector<Seconds> times = of_op_[index];
  CollectivesBeside under_way(share_of_collectives_);
  for (std::size_t o = 0; o < ops.size(); ++o) {
    if (beside_[index][o] > Seconds(0) && runs_in(ops[o], turn)) {
      under_way.begin(o, beside_[index][o]);
    } else if (ops[o].kind == OpKind::kCompute) {
      for (const Predecessor& p : ops[o].predecessors) {
        if (p.kind == Predecessor::Kind::kOp && beside_[index][static_cast<std::size_t>(p.op)] > Seconds(0)) {
          under_way.end(static_cast<std::size_t>(p.op));
        }
      }
      times[o] += under_way.run(times[o]);
    }
  }
  return times;
}

Seconds StagePrices::busy() const {
  std::vector<std::int32_t> slots(of_op_.size(), 0);
  for (const Slot& slot : stage_.order) {
    ++slots[static_cast<std::size_t>(slot.template_index)];
  }
  Seconds sum;
  for (std::size_t t = 0; t < slots.size(); ++t) {
    for (const Seconds time : times(static_cast<std::int32_t>(t), {})) {
      sum += time * slots[t];
    }
  }
  return sum;
}

}  // namespace portolan
