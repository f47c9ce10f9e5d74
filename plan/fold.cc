#include <algorithm>
#include <array>
#include <cassert>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "plan/costed_program.h"
#include "plan/group_flows.h"
#include "plan/link_use.h"
#include "plan/name_table.h"
#include "plan/op_flows.h"
#include "plan/rank_place.h"
#include "plan/slot_turn.h"

namespace portolan {

namespace {

constexpr std::array<std::string_view, 5> kFidelities = {"closed-form", "folded", "replicas", "full",
                                                         "explicit"};

/// Uncontended time of such collectives on one stage, all groups together; computed once each.
class CollectiveCost {
 public:
  CollectiveCost(OpFlowsTable& flows, std::int32_t stage) : flows_(flows), stage_(stage) {}

  Seconds time(const Op& op) { return priced(op).time; }
  bool stays_in_nodes(const Op& op) { return priced(op).stays_in_nodes; }

 private:
  struct Price {
    Seconds time;
    bool stays_in_nodes = false;
  };

  const Price& priced(const Op& op) {
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

  OpFlowsTable& flows_;
  std::int32_t stage_;
  std::deque<std::pair<const Op*, Price>> known_;  ///< a handful of shapes
};

/// Folds the collectives of one template that take a known time into its compute, those beside compute too:
/// how long compute waits for them is known, as nothing else delays either lane in between.
class CollectiveFold {
 public:
  /// ops: those of the template that run, as many as in `costed`; folded: which of them.
  CollectiveFold(const std::vector<const Op*>& ops, const std::vector<bool>& folded, CostedTemplate& costed)
      : ops_(ops), folded_(folded), costed_(costed) {}

  void run() {
    for (std::size_t o = 0; o < ops_.size(); ++o) {
      if (folded_[o]) {
        collective(o);
      } else if (op(o).kind == OpKind::kCompute) {
        compute(o);
      }
    }
  }

 private:
  const Op& op(std::size_t index) const { return *ops_[index]; }
  const std::vector<Predecessor>& predecessors(std::size_t index) const {
    return costed_.ops[index].predecessors;
  }

  /// The first compute op that waits for op `index`; the end where none does.
  std::size_t waiter_of(std::size_t index) const {
    std::size_t o = index + 1;
    const auto waits = [&](const Predecessor& p) {
      return p.kind == Predecessor::Kind::kOp && p.op == static_cast<std::int32_t>(index);
    };
    while (o < ops_.size() && !(op(o).kind == OpKind::kCompute &&
                                std::any_of(predecessors(o).begin(), predecessors(o).end(), waits))) {
      ++o;
    }
    return o;
  }

  /// Whether a compute op waits for nothing but compute and folded collectives of its template.
  bool waits_within(std::size_t index) const {
    return std::all_of(predecessors(index).begin(), predecessors(index).end(), [&](const Predecessor& p) {
      if (p.kind != Predecessor::Kind::kOp) {
        return false;
      }
      const auto awaited = static_cast<std::size_t>(p.op);
      return op(awaited).kind == OpKind::kCompute || folded_[awaited];
    });
  }

  void collective(std::size_t o) {
    CostedOp& costed = costed_.ops[o];
    const std::size_t waiter = waiter_of(o);
    bool stops_compute = true;
    bool known = waiter < ops_.size();
    for (std::size_t between = o + 1; between < waiter; ++between) {
      if (op(between).kind == OpKind::kCompute) {
        stops_compute = false;
        known = known && waits_within(between);
      }
    }
    known = known && waits_within(waiter);
    if (stops_compute) {
      // What the lane is still busy with comes first.
      CostedPart& part = costed.parts.front();
      part.wait = std::max(lane(o) - clock_, Seconds(0));
      part.waited_for = part.op;
      costed.duration += part.wait;
      part.duration = costed.duration;
      enter_compute(costed);
      clock_ += costed.duration;
      lane(o) = clock_;
    } else if (known) {
      const Seconds begin = std::max(lane(o), clock_);
      lane(o) = begin + costed.duration;
      ends_[o] = lane(o);
      CostedPart& part = costed.parts.front();
      part.beside = costed.duration;
      part.delay = begin - clock_;
      part.duration = costed.duration = Seconds(0);
      enter_compute(costed);
    } else {
      costed.is_timed = true;
    }
  }

  static void enter_compute(CostedOp& costed) {
    costed.kind = OpKind::kCompute;
    costed.lane = 0;
  }

  void compute(std::size_t o) {
    CostedOp& costed = costed_.ops[o];
    CostedPart& part = costed.parts.front();
    for (const Predecessor& p : predecessors(o)) {
      const auto found =
          p.kind == Predecessor::Kind::kOp ? ends_.find(static_cast<std::size_t>(p.op)) : ends_.end();
      if (found != ends_.end() && found->second > clock_ + part.wait) {
        part.wait = found->second - clock_;
        part.waited_for = costed_.ops[static_cast<std::size_t>(p.op)].parts.front().op;
      }
    }
    costed.duration += part.wait;
    part.duration = costed.duration;
    clock_ += costed.duration;
  }

  /// When the last collective in the lane of op `index` is over.
  Seconds& lane(std::size_t index) { return lanes_[op(index).lane]; }

  const std::vector<const Op*>& ops_;
  const std::vector<bool>& folded_;
  CostedTemplate& costed_;
  Seconds clock_;  ///< of compute
  std::map<std::int32_t, Seconds> lanes_;
  std::map<std::size_t, Seconds> ends_;  ///< of collectives beside compute
};

Seconds device_time(const Op& op, const KernelCost& cost) {
  Seconds time;
  for (const Kernel& kernel : op.kernels) {
    time += cost.time(kernel);
  }
  return time;
}

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

/// Adds to compute what a collective beside it takes of the device: to the op that follows the collective.
/// Those of some passes only, sums of buckets, are left out: an op costs the same in all.
void share_device(const Template& t, const KernelCost& cost, CollectiveCost& collective_cost,
                  std::vector<Seconds>& times) {
  if (cost.share_of_collectives() == 0) {
    return;
  }
  Seconds taken;
  for (std::size_t o = 0; o < t.ops.size(); ++o) {
    const Op& op = t.ops[o];
    if (op.kind == OpKind::kCompute) {
      times[o] += taken;
      taken = Seconds(0);
    } else if (op.kind == OpKind::kCollective && op.occurrence == Occurrence::kEvery &&
               !stops_compute(t, o)) {
      taken += collective_cost.time(op) * cost.share_of_collectives();
    }
  }
}

/// What the ops of one stage take: compute, and collectives within kernels that meet nothing.
class StagePrices {
 public:
  StagePrices(const Stage& stage, const KernelCost& kernel_cost, CollectiveCost& collective_cost)
      : stage_(stage) {
    for (const Template& t : stage.templates) {
      std::vector<Seconds>& times = of_op_.emplace_back();
      for (const Op& op : t.ops) {
        times.push_back(op.kind == OpKind::kCompute ? device_time(op, kernel_cost)
                        : is_within_kernels(op)     ? collective_cost.time(op)
                                                    : Seconds(0));
      }
      wait_for_host(t, kernel_cost, times);
      share_device(t, kernel_cost, collective_cost, times);
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

  Seconds time(std::int32_t template_index, std::size_t op) const {
    return of_op_[static_cast<std::size_t>(template_index)][op];
  }

  /// Of the whole step.
  Seconds busy() const {
    std::vector<std::int32_t> slots(of_op_.size(), 0);
    for (const Slot& slot : stage_.order) {
      ++slots[static_cast<std::size_t>(slot.template_index)];
    }
    Seconds sum;
    for (std::size_t t = 0; t < slots.size(); ++t) {
      for (const Seconds time : of_op_[t]) {
        sum += time * slots[t];
      }
    }
    return sum;
  }

 private:
  const Stage& stage_;
  std::vector<std::vector<Seconds>> of_op_;  ///< by template
};

/// Folds one stage.
class StageFold {
 public:
  /// takes_known_time: which communications become compute.
  StageFold(const Stage& stage, const StagePrices& prices, std::function<bool(const Op&)> takes_known_time)
      : stage_(stage), prices_(prices), takes_known_time_(std::move(takes_known_time)) {}

  CostedStage run() {
    const std::vector<SlotTurn> turns = slot_turns(stage_);
    std::map<std::tuple<std::int32_t, bool, bool>, std::int32_t> made;
    CostedStage costed;
    for (std::size_t slot = 0; slot < turns.size(); ++slot) {
      const std::int32_t index = stage_.order[slot].template_index;
      const Template& t = stage_.templates[static_cast<std::size_t>(index)];
      const bool turn_matters = std::any_of(t.ops.begin(), t.ops.end(),
                                            [](const Op& op) { return op.occurrence != Occurrence::kEvery; });
      const SlotTurn turn = turn_matters ? turns[slot] : SlotTurn{};
      const auto [found, is_new] = made.try_emplace({index, turn.first, turn.last},
                                                    static_cast<std::int32_t>(costed.templates.size()));
      if (is_new) {
        costed.templates.push_back(fold_template(index, turn));
      }
      costed.of_slot.push_back(found->second);
    }
    return costed;
  }

 private:
  CostedTemplate fold_template(std::int32_t index, SlotTurn turn) const {
    constexpr std::int32_t kAbsent = -1;
    const Template& t = stage_.templates[static_cast<std::size_t>(index)];
    CostedTemplate costed;
    std::vector<const Op*> ops;
    std::vector<bool> folded;
    std::vector<std::int32_t> new_index(t.ops.size(), kAbsent);
    for (std::size_t o = 0; o < t.ops.size(); ++o) {
      const Op& op = t.ops[o];
      if (!runs_in(op, turn)) {
        continue;
      }
      new_index[o] = static_cast<std::int32_t>(ops.size());
      ops.push_back(&op);
      folded.push_back(takes_known_time_(op));
      CostedOp result{
          .kind = op.kind,
          .lane = op.lane,
          .is_timed = false,
          .duration = op.kind == OpKind::kCompute || folded.back() ? prices_.time(index, o) : Seconds(0),
          .parts = {},
          .predecessors = {}};
      result.parts.push_back({.op = static_cast<std::int32_t>(o), .duration = result.duration});
      for (Predecessor p : op.predecessors) {
        if (p.kind == Predecessor::Kind::kOp) {
          p.op = new_index[static_cast<std::size_t>(p.op)];
        }
        if (p.op != kAbsent) {
          result.predecessors.push_back(p);
        }
      }
      costed.ops.push_back(std::move(result));
    }
    CollectiveFold(ops, folded, costed).run();
    return costed;
  }

  const Stage& stage_;
  const StagePrices& prices_;
  std::function<bool(const Op&)> takes_known_time_;
};

}  // namespace

std::string_view fidelity_name(Fidelity fidelity) { return kFidelities[static_cast<std::size_t>(fidelity)]; }
std::optional<Fidelity> find_fidelity(std::string_view name) {
  return find_name<Fidelity>(kFidelities, name);
}

CostedProgram fold(const Program& program, const KernelCost& cost, const Cluster& cluster,
                   Fidelity fidelity) {
  CostedProgram costed{.source = &program,
                       .fidelity = fidelity,
                       .stages = {},
                       .flows = std::make_shared<OpFlowsTable>(placement_of(program), cluster)};
  std::deque<CollectiveCost> collective_costs;
  std::deque<StagePrices> prices;
  std::vector<Seconds> busy;
  for (std::size_t s = 0; s < program.stages.size(); ++s) {
    collective_costs.emplace_back(*costed.flows, static_cast<std::int32_t>(s));
    prices.emplace_back(program.stages[s], cost, collective_costs.back());
    busy.push_back(prices.back().busy());
  }
  std::optional<LinkUse> use;
  if (fidelity != Fidelity::kExplicit) {
    use.emplace(program, cluster, *costed.flows, busy);
  }
  for (std::size_t s = 0; s < program.stages.size(); ++s) {
    // Where every replica is simulated, what crosses the network meets other traffic there.
    const auto takes_known_time = [&](const Op& op) {
      return use && is_within_kernels(op) &&
             (fidelity == Fidelity::kFolded || op.axes == AxisSet{Axis::kTensor} ||
              collective_costs[s].stays_in_nodes(op)) &&
             use->is_alone(op, static_cast<std::int32_t>(s));
    };
    costed.stages.push_back(StageFold(program.stages[s], prices[s], takes_known_time).run());
  }
  return costed;
}

}  // namespace portolan
