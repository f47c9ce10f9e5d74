#pragma once

#include <cstdint>
#include <vector>

#include "base/quantity.h"
#include "plan/stage_cost.h"

namespace portolan {

/// Equal neighbouring blocks whose parameters or gradients are divided over ranks (ZeRO stages 2 and 3), as
/// one pass of a microbatch meets them.
struct ShardedBlocks {
  std::int32_t count = 1;
  Seconds compute;     ///< of one block
  Seconds gather;      ///< of its parameters, before compute; 0: they are there
  Seconds reduce;      ///< of its gradients, after compute; 0 in forward
  Seconds accumulate;  ///< compute that waits for the reduction, done after the next block
  WireTime wire{};     ///< what `compute` asks of the wire of gathers and reductions
};

/// Time of a pass: blocks compute one after another, each after its parameters are there; these are gathered
/// `prefetch` blocks ahead; gathers and reductions share one wire, one after another. What compute asks of
/// the wire is spread evenly between the first and the last use of it, and gets half of the wire while one of
/// them is under way. The steady state of many equal blocks is extrapolated.
Seconds sharded_pass_time(const std::vector<ShardedBlocks>& blocks, std::int64_t prefetch);

}  // namespace portolan
