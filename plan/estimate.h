#pragma once

#include <string>
#include <vector>

#include "base/quantity.h"
#include "plan/strategy.h"

namespace portolan {

/// Where the step time went, on the stage that finishes last. The parts sum to the step time.
struct Breakdown {
  Seconds compute;  ///< forward and backward kernels
  Seconds recompute;
  Seconds exposed_tensor;
  Seconds exposed_pipeline;  ///< waiting for a transfer between stages
  Seconds exposed_data;
  Seconds exposed_context;
  Seconds exposed_expert;
  Seconds offload;  ///< waiting for copies between device and host
  Seconds bubble;   ///< waiting for another stage's compute
  Seconds optimizer;
  Seconds other;  ///< kernels of compressed sums of gradients

  Seconds total() const {
    return compute + recompute + exposed_tensor + exposed_pipeline + exposed_data + exposed_context +
           exposed_expert + offload + bubble + optimizer + other;
  }
  bool operator==(const Breakdown&) const = default;
};

struct StageMemory {
  Bytes allocated;  ///< peak of live buffers on each rank of the stage
  Bytes reserved;   ///< with what the framework holds beside them
  /// Where the peak comes from, live bytes at the peak by kind.
  Bytes parameters, gradients, optimizer_states, activations, workspace, communication;
  Bytes host;  ///< peak of what each rank keeps in its node's host memory, in none of the others

  bool operator==(const StageMemory&) const = default;
};

/// A prediction of one training step.
struct Estimate {
  Strategy strategy;
  Seconds step_time;
  Breakdown breakdown;
  std::vector<StageMemory> stage_memory;
  Bytes peak_memory;   ///< largest reserved
  double mfu_pct = 0;  ///< model FLOPs only, attention counted whole
  double hfu_pct = 0;  ///< with recomputation
  double tokens_per_s = 0;
  Joules energy;             ///< 0 where the hardware's power is unknown
  double cost = 0;           ///< of one step; 0 where the price is unknown
  std::string program_hash;  ///< empty from the closed form, which builds no Program

  bool operator==(const Estimate&) const = default;
};

}  // namespace portolan
