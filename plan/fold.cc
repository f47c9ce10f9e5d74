#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "plan/costed_program.h"
#include "plan/link_use.h"
#include "plan/name_table.h"
#include "plan/op_flows.h"
#include "plan/rank_place.h"
#include "plan/slot_turn.h"
#include "plan/stage_prices.h"

namespace portolan {

namespace {

constexpr std::array<std::string_view, 5> kFidelities = {"closed-form", "folded", "replicas", "full",
                                                         "explicit"};

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
    const std::vector<Seconds> times = prices_.times(index, turn);
    for (std::size_t o = 0; o < t.ops.size(); ++o) {
      const Op& op = t.ops[o];
      if (!runs_in(op, turn)) {
        continue;
      }
      new_index[o] = static_cast<std::int32_t>(ops.size());
      ops.push_back(&op);
      folded.push_back(takes_known_time_(op));
      CostedOp result{.kind = op.kind,
                      .lane = op.lane,
                      .is_timed = false,
                      .duration = op.kind == OpKind::kCompute || folded.back() ? times[o] : Seconds(0),
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

CostedProgram fold(const Program& program, const KernelCost& cost, const Cluster& as_it_is, Fidelity fidelity,
                   const Disturbance& disturbance) {
  const Cluster& cluster = as_it_is.healthy();
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
    DisturbedOps disturbed(disturbance, costed.flows->groups(), static_cast<std::int32_t>(s));
    // Where every replica is simulated, what crosses the network meets other traffic there.
    const auto takes_known_time = [&](const Op& op) {
      return use && is_within_kernels(op) &&
             (fidelity == Fidelity::kFolded || op.axes == AxisSet{Axis::kTensor} ||
              collective_costs[s].stays_in_nodes(op)) &&
             use->is_alone(op, static_cast<std::int32_t>(s)) && !disturbed.contains(op);
    };
    costed.stages.push_back(StageFold(program.stages[s], prices[s], takes_known_time).run());
  }
  return costed;
}

}  // namespace portolan
