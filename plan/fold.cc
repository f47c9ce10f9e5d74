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

/// Whether compute stands still while op `index` runs: the next compute op of the template waits for it.
bool stops_compute(const Template& t, std::size_t index) {
  const auto next = std::find_if(t.ops.begin() + static_cast<std::ptrdiff_t>(index) + 1, t.ops.end(),
                                 [](const Op& op) { return op.kind == OpKind::kCompute; });
  return next == t.ops.end() ||
         std::any_of(next->predecessors.begin(), next->predecessors.end(), [&](const Predecessor& p) {
           return p.kind == Predecessor::Kind::kOp && p.op == static_cast<std::int32_t>(index);
         });
}

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
        const bool folded = fidelity != Fidelity::kExplicit && is_tensor_collective(op);
        const bool within_compute = folded && stops_compute(t, o);
        CostedOp result{.kind = within_compute ? OpKind::kCompute : op.kind,
                        .lane = within_compute ? 0 : op.lane,
                        .is_timed = folded && !within_compute,
                        .duration = folded ? tensor_cost.time(op) : compute_time(op, cost),
                        .parts = {},
                        .predecessors = op.predecessors};
        result.parts.push_back({static_cast<std::int32_t>(o), result.duration});
        costed_template.ops.push_back(std::move(result));
      }
      templates.push_back(std::move(costed_template));
    }
    costed.stages.push_back(std::move(templates));
  }
  return costed;
}

}  // namespace portolan
