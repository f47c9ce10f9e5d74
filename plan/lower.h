#pragma once

#include "plan/program.h"
#include "plan/scenario.h"
#include "plan/strategy.h"

namespace portolan {

/// The Program of one training step: for each pipeline stage its buffers, its templates (forward,
/// backward, gradient synchronisation, optimizer) and the order list that the schedule gives.
/// Precondition: find_rejection(scenario, strategy) finds nothing.
Program lower(const Scenario& scenario, const Strategy& strategy);

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
  kCopyFromHost
};
constexpr std::int32_t lane_of(LaneIndex index) { return static_cast<std::int32_t>(index); }

}  // namespace portolan
