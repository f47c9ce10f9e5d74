#pragma once

#include <vector>

#include "model/block.h"
#include "plan/program.h"
#include "plan/scenario.h"
#include "plan/strategy.h"

namespace portolan {

/// The Program of one training step: for each pipeline stage its buffers, its templates (forward,
/// backward, gradient synchronisation, optimizer) and the order list that the schedule gives.
/// Precondition: find_rejection(scenario, strategy) finds nothing.
Program lower(const Scenario& scenario, const Strategy& strategy);
/// The same with layers of these kinds, whatever the model says of them.
Program lower_layers(const Scenario& scenario, const Strategy& strategy, std::vector<LayerKind> kinds);

/// Lanes of every lowered Program, by index.
enum class LaneIndex : std::int32_t {
  kCompute,
  kTensor,
  kContext,
  kExpert,
  kReceivePrevious,
  kSendNext,
  kReceiveNext,
  kSendPrevious,
  kData,
  kDataGather,
  kEndStages,
  kCopyToHost,
  kCopyFromHost,
  kDataAcross,  ///< sums across sharding groups, beside reductions within them
};
constexpr std::int32_t lane_of(LaneIndex index) { return static_cast<std::int32_t>(index); }

}  // namespace portolan
