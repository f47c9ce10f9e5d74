#pragma once

#include <cstdint>
#include <vector>

#include "plan/bucket_walk.h"
#include "plan/compressed_sum.h"
#include "plan/cost.h"
#include "plan/machine_costs.h"
#include "plan/scenario.h"
#include "plan/strategy.h"
#include "topology/cluster.h"

namespace portolan {

/// What a rank of a stage updates.
struct StageParameters {
  // Where gradients are summed beside the last backward: the blocks as that meets them; where parameters are
  // gathered beside the first forward: as that meets them.
  std::vector<BucketBlocks> backward_blocks;
  std::vector<BucketBlocks> forward_blocks;
  /// With states on the host: elements that a rank updates, block by block.
  std::vector<std::int64_t> streamed;

  std::int64_t elements = 0;
  std::int64_t expert_elements = 0;
  std::vector<GradientMatrix> matrices;  ///< of PowerSGD: gradients that are
  std::int64_t num_tensors = 0;
  Bytes partial_gradients;  ///< to be summed over the tensor-parallel group
  Bytes kept_gradients;     ///< StageShape's
  std::int64_t tied = 0;    ///< elements of a word embedding that the other end stage holds too; else 0
  bool holds_loss = false;

  bool operator==(const StageParameters&) const = default;
};

/// Gradients zeroed before the microbatches; synchronised, used and parameters gathered after them.
struct OnceAStepCost {
  Seconds zeroing;
  Seconds sync;       ///< what a stage does by itself
  Seconds packing;    ///< of that, kernels of compressed sums
  Seconds sync_ends;  ///< then, of the embedding that the first and the last stage hold
  Seconds update;
  Seconds gather;
  Seconds offload;  ///< waiting for states that come from the host and go back
};

struct OnceAStepContext {
  const Scenario& scenario;
  const Strategy& strategy;
  const Cluster& cluster;
  const MachineCosts& machine;
  const KernelCost& kernel_cost;
};

/// The sums of a stage that compresses gradients: of experts' too where several ranks hold them; none where
/// it compresses nothing.
std::vector<CompressedSum> compressed_sums(const Scenario& scenario, const Strategy& strategy,
                                           const StageParameters& stage);

/// `fill`: from the first stage's first forward to that of this one.
OnceAStepCost once_a_step_cost(const OnceAStepContext& context, const StageParameters& stage, Seconds fill);
/// What OnceAStepCost::offload becomes where the stage waits for another one between its sums.
Seconds offload_after(const OnceAStepContext& context, const StageParameters& stage,
                      const OnceAStepCost& cost, Seconds wait);

}  // namespace portolan
