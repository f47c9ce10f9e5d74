#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plan/cost.h"
#include "plan/disturbance.h"
#include "plan/op_flows.h"
#include "plan/program.h"
#include "topology/cluster.h"
#include "topology/placement.h"

namespace portolan {

/// Rungs of fidelity, from the cheapest.
enum class Fidelity : std::uint8_t {
  kClosedForm,  ///< formula on the Strategy, no Program
  kFolded,      ///< one replica, one rail; collectives that meet nothing folded into compute
  kReplicas,    ///< all replicas, one rail; of these, those of tensor parallelism and within nodes folded
  kFull,        ///< every GPU; the same folded
  kExplicit,    ///< every GPU, every collective as flows
};
std::string_view fidelity_name(Fidelity fidelity);
std::optional<Fidelity> find_fidelity(std::string_view name);

/// A source op inside a costed op, and its share of the time.
struct CostedPart {
  std::int32_t op = 0;
  Seconds duration;  ///< of the compute lane: waiting, then the op
  Seconds wait{};    ///< at first, for communication beside compute
  std::int32_t waited_for = 0;
  /// Of a communication beside compute, which takes none of the lane's time: how long, and how much after its
  /// place in the lane it begins.
  Seconds beside{};
  Seconds delay{};
};

/// An op as a rung of fidelity runs it: one or several source ops of the template.
struct CostedOp {
  OpKind kind = OpKind::kCompute;
  std::int32_t lane = 0;
  bool is_timed = false;                  ///< communication that takes `duration`, without flows
  Seconds duration;                       ///< of compute, and of what is timed
  std::vector<CostedPart> parts;          ///< communication: its one source op
  std::vector<Predecessor> predecessors;  ///< kOp indexes the costed ops of the template
};

struct CostedTemplate {
  std::vector<CostedOp> ops;
};

/// The templates of a stage; one whose ops do not all run in every slot is there once for each turn.
struct CostedStage {
  std::vector<CostedTemplate> templates;
  std::vector<std::int32_t> of_slot;  ///< index into `templates`, by slot of the order list

  const CostedTemplate& in_slot(std::int32_t slot) const {
    return templates[static_cast<std::size_t>(of_slot[static_cast<std::size_t>(slot)])];
  }
};

/// A Program prepared for a rung. Refers to its source and to the cluster, which must outlive it.
struct CostedProgram {
  const Program* source = nullptr;
  Fidelity fidelity = Fidelity::kFolded;
  std::vector<CostedStage> stages;
  std::shared_ptr<OpFlowsTable> flows;  ///< what was found while folding, for unfold()
};

/// Prices every op; below kExplicit gives collectives within kernels their uncontended time where LinkUse
/// says that they have their links to themselves (docs/decisions/0015): at kFolded any of them, at kReplicas
/// and kFull those of tensor parallelism and those within nodes. They become compute: where compute stands
/// still for them as long as they take, where it goes on as long as it waits for them in the end.
///
/// All prices are those of the healthy cluster, which must outlive the result; a communication that touches
/// what is disturbed is not folded.
CostedProgram fold(const Program& program, const KernelCost& cost, const Cluster& cluster, Fidelity fidelity,
                   const Disturbance& disturbance = {});

/// Merges neighbouring compute ops that no other lane comes between into one.
CostedProgram coalesce(CostedProgram program);

}  // namespace portolan
