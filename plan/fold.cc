#include <algorithm>
#include <array>
#include <cassert>
#include <map>

#include "plan/costed_program.h"
#include "plan/name_table.h"

namespace portolan {

namespace {

constexpr std::array<std::string_view, 5> kFidelities = {"closed-form", "folded", "replicas", "full",
                                                         "explicit"};

/// Uncontended time of tensor collectives of one stage's first replica, computed once a (kind, size).
class TensorCollectiveCost {
 public:
  TensorCollectiveCost(const Cluster& cluster, const Placement& placement, std::int32_t stage)
      : cluster_(cluster) {
    Coordinates coordinates{};
    coordinates[static_cast<std::size_t>(Axis::kPipeline)] = stage;
    for (std::int32_t k = 0; k < placement.degree(Axis::kTensor); ++k) {
      coordinates[static_cast<std::size_t>(Axis::kTensor)] = k;
      members_.push_back(placement.device_of(coordinates));
    }
  }

  Seconds time(const Op& op) {
    const auto key = std::pair{op.collective, op.bytes.value};
    const auto found = times_.find(key);
    if (found != times_.end()) {
      return found->second;
    }
    const Seconds time =
        uncontended_time(cluster_, ring_collective(cluster_, op.collective, members_, op.bytes));
    times_.emplace(key, time);
    return time;
  }

 private:
  const Cluster& cluster_;
  std::vector<DeviceIndex> members_;
  std::map<std::pair<CollectiveKind, std::int64_t>, Seconds> times_;
};

bool is_tensor_collective(const Op& op) {
  return op.kind == OpKind::kCollective && op.group == GroupKind::kAxis && op.axis == Axis::kTensor;
}

/// Folds the tensor collectives of one template into its compute, those beside compute too: how long compute
/// waits for them is known, as nothing else delays either lane in between.
class TensorFold {
 public:
  TensorFold(const Template& t, CostedTemplate& costed) : template_(t), costed_(costed) {}

  void run() {
    for (std::size_t o = 0; o < template_.ops.size(); ++o) {
      if (is_tensor_collective(template_.ops[o])) {
        collective(o);
      } else if (template_.ops[o].kind == OpKind::kCompute) {
        compute(o);
      }
    }
  }

 private:
  const Op& op(std::size_t index) const { return template_.ops[index]; }

  /// The first compute op that waits for op `index`; the end where none does.
  std::size_t waiter_of(std::size_t index) const {
    std::size_t o = index + 1;
    const auto waits = [&](const Predecessor& p) {
      return p.kind == Predecessor::Kind::kOp && p.op == static_cast<std::int32_t>(index);
    };
    while (o < template_.ops.size() &&
           !(op(o).kind == OpKind::kCompute &&
             std::any_of(op(o).predecessors.begin(), op(o).predecessors.end(), waits))) {
      ++o;
    }
    return o;
  }

  /// Whether a compute op waits for nothing but compute and tensor collectives of its template.
  bool waits_within(std::size_t index) const {
    return std::all_of(op(index).predecessors.begin(), op(index).predecessors.end(),
                       [&](const Predecessor& p) {
                         if (p.kind != Predecessor::Kind::kOp) {
                           return false;
                         }
                         const Op& awaited = op(static_cast<std::size_t>(p.op));
                         return awaited.kind == OpKind::kCompute || is_tensor_collective(awaited);
                       });
  }

  void collective(std::size_t o) {
    CostedOp& costed = costed_.ops[o];
    const std::size_t waiter = waiter_of(o);
    bool stops_compute = true;
    bool known = waiter < template_.ops.size();
    for (std::size_t between = o + 1; between < waiter; ++between) {
      if (op(between).kind == OpKind::kCompute) {
        stops_compute = false;
        known = known && waits_within(between);
      }
    }
    known = known && waits_within(waiter);
    if (stops_compute) {
      enter_compute(costed);
      clock_ += costed.duration;
      lane_ = clock_;
    } else if (known) {
      const Seconds begin = std::max(lane_, clock_);
      lane_ = begin + costed.duration;
      ends_[o] = lane_;
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
    for (const Predecessor& p : op(o).predecessors) {
      const auto found =
          p.kind == Predecessor::Kind::kOp ? ends_.find(static_cast<std::size_t>(p.op)) : ends_.end();
      if (found != ends_.end() && found->second > clock_ + part.wait) {
        part.wait = found->second - clock_;
        part.waited_for = p.op;
      }
    }
    costed.duration += part.wait;
    part.duration = costed.duration;
    clock_ += costed.duration;
  }

  const Template& template_;
  CostedTemplate& costed_;
  Seconds clock_;                        ///< of compute
  Seconds lane_;                         ///< when the last collective is over
  std::map<std::size_t, Seconds> ends_;  ///< of collectives beside compute
};

Seconds compute_time(const Op& op, const KernelCost& cost) {
  Seconds time;
  for (const Kernel& kernel : op.kernels) {
    time += cost.time(kernel);
  }
  return time;
}

}  // namespace

std::string_view fidelity_name(Fidelity fidelity) { return kFidelities[static_cast<std::size_t>(fidelity)]; }
std::optional<Fidelity> find_fidelity(std::string_view name) {
  return find_name<Fidelity>(kFidelities, name);
}

Placement placement_of(const Program& program) { return {program.degrees, program.axis_order}; }

CostedProgram fold(const Program& program, const KernelCost& cost, const Cluster& cluster,
                   Fidelity fidelity) {
  const Placement placement = placement_of(program);
  CostedProgram costed{.source = &program, .fidelity = fidelity, .stages = {}};
  for (std::size_t s = 0; s < program.stages.size(); ++s) {
    TensorCollectiveCost tensor_cost(cluster, placement, static_cast<std::int32_t>(s));
    std::vector<CostedTemplate> templates;
    for (const Template& t : program.stages[s].templates) {
      CostedTemplate costed_template;
      for (std::size_t o = 0; o < t.ops.size(); ++o) {
        const Op& op = t.ops[o];
        const bool tensor = fidelity != Fidelity::kExplicit && is_tensor_collective(op);
        CostedOp result{.kind = op.kind,
                        .lane = op.lane,
                        .is_timed = false,
                        .duration = tensor ? tensor_cost.time(op) : compute_time(op, cost),
                        .parts = {},
                        .predecessors = op.predecessors};
        result.parts.push_back({.op = static_cast<std::int32_t>(o), .duration = result.duration});
        costed_template.ops.push_back(std::move(result));
      }
      if (fidelity != Fidelity::kExplicit) {
        TensorFold(t, costed_template).run();
      }
      templates.push_back(std::move(costed_template));
    }
    costed.stages.push_back(std::move(templates));
  }
  return costed;
}

}  // namespace portolan
