#pragma once

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

#include "plan/communication_prices.h"
#include "plan/cost.h"
#include "plan/estimate.h"
#include "plan/machine_costs.h"
#include "plan/offload_pass.h"
#include "plan/once_a_step_cost.h"
#include "plan/pipeline_time.h"
#include "plan/rematerialization.h"
#include "plan/scenario.h"
#include "plan/schedule.h"
#include "plan/stage_cost.h"
#include "topology/cluster.h"

namespace portolan {

/// The cheapest rung: a formula on the Strategy.
///   step = zeroing + passes of the pipeline + synchronisation + optimizer + gather, of the stage that
///   finishes last
/// Exact where nothing overlaps (one stage), within 1 % of `folded` elsewhere in the property tests: the
/// simulator says what really overlaps. An estimate only where copies to the host and back are what takes
/// longest (tests/property/plan). Never below the longest chain of compute. Receives posted ahead
/// (receive_prefetch) are not seen. Not thread-safe: it remembers block costs.
class ClosedForm {
 public:
  /// Both must outlive it.
  ClosedForm(const Scenario& scenario, const Cluster& cluster);

  /// Precondition: no rejection by find_rejection. Memory is within the estimate; whether it fits is the
  /// caller's question. Recomputation that is still open is chosen (optimal_recompute), and the estimate's
  /// strategy has it.
  Estimate evaluate(const Strategy& strategy);

  /// What the ranking needs, without building an Estimate.
  struct Outcome {
    Seconds step_time;
    Bytes peak_memory;  ///< reserved, of the fullest stage
    std::int32_t fullest_stage = 0;
    Bytes host_memory;  ///< what a rank keeps there, of the stage that keeps most
  };
  Outcome outcome(const Strategy& strategy);

  /// The sets of least recomputed time that fit the devices by this formula, one for each layer, chosen for
  /// each stage by rematerialize() (plan/rematerialization.h) among all sets of kernel groups; never slower
  /// than none, selective, full or blocks of layers. Where no sets fit, groups of layers (uniform:N); where
  /// they do not either, what comes closest. `strategy.recompute` matters only by how much memory it leaves
  /// spare. `tolerance`: of each stage's recomputed time. Precondition: as evaluate(), and activations stay
  /// on the device. docs/decisions/0028-rematerialization-by-dynamic-programming.md.
  Recompute optimal_recompute(const Strategy& strategy, double tolerance = kExactRematerialization);

  /// What strategies have in common that differ only in zero_group, in states of the optimizer on the host
  /// and in how gradients are summed.
  class Body;
  /// Of `strategy` and those; precondition: as evaluate(), and its recomputation is not open.
  Body body(const Strategy& strategy);
  /// No more than outcome() says of `strategy`, one of those with this body.
  Bytes least_memory(const Strategy& strategy, const Body& body);
  /// Likewise, of one whose layers are recomputed in groups, which take long to lower; in `body` they are
  /// recomputed one by one.
  Bytes least_memory_of_groups(const Strategy& strategy, const Body& body);
  /// No more than outcome() says of `strategy`, one of those with this body.
  Seconds least_time(const Strategy& strategy, const Body& body);
  /// Likewise, but for what `strategy` recomputes, were this chosen by optimal_recompute. Precondition:
  /// nothing is recomputed in `body`.
  Seconds least_time_that_fits(const Strategy& strategy, const Body& body);

 private:
  struct Pipeline;
  using BlockKey =
      std::tuple<std::int32_t, std::int32_t, std::int32_t, std::array<std::int32_t, 3>, bool, std::int64_t,
                 unsigned long, Precision, bool, SharersWire, bool, bool, LayerKind>;
  using MachineKey = std::tuple<std::int32_t, std::int32_t, std::int32_t, std::int32_t, std::int32_t,
                                std::int32_t, bool, std::int64_t, std::int64_t, CollectiveAlgorithm,
                                CompressionKind, std::array<Axis, kNumAxes>>;

  struct LayerRange {
    std::int32_t first = 0;
    std::int32_t count = 0;
  };
  /// A strategy's chunks in the order of their layers: chunk c of stage i is number c * pp + i.
  struct Chunks {
    std::vector<LayerRange> layers;
    /// Of each: chunks of one kind have the same layers and end blocks, kept on the device alike.
    std::vector<std::size_t> kinds;
    std::vector<std::int32_t> examples;  ///< a chunk of each kind
    bool alike_between_ends = true;      ///< all but the first and the last, if not for what is kept
  };
  /// Of one microbatch in the layers of a chunk: kept from forward to backward, and the most while one runs
  /// backward.
  struct LayersMemory {
    Bytes saved;
    Bytes peak;
    Bytes deferred;  ///< of a split backward: kept for the weight gradients
    Bytes host;      ///< kept there from forward to backward
  };
  /// What a chunk of one kind adds to its stage.
  struct ChunkSum {
    BlockTime time;              ///< of one microbatch, but for waiting for copies
    Seconds accumulation;        ///< part of its waits that computes
    StageParameters parameters;  ///< its share
    OffloadWaits copies;
    LayersMemory memory;
    Bytes transients;  ///< see sharded_transients
  };
  /// All chunks of a stage.
  struct StageSum {
    BlockTime time;     ///< of one microbatch
    PassWaits further;  ///< of each microbatch after the first, for copies
    Seconds copies;     ///< of one microbatch, one way
    StageParameters parameters;
    std::vector<std::size_t> chunks;  ///< their kinds
  };
  struct StageSums {
    std::vector<ChunkSum> chunks;    ///< by kind
    std::vector<StageSum> unlike;    ///< one for each run of stages that are alike
    std::vector<std::size_t> kinds;  ///< of each stage: which of them
    std::vector<Seconds> fills;      ///< where gathers run beside forward: before each stage begins
    PipelinePasses passes;

    const StageSum& of(std::size_t stage) const { return unlike[kinds[stage]]; }
  };

  /// What passes of a chunk wait for where parameters or gradients are divided.
  struct ShardedWaits {
    Seconds forward;
    Seconds backward;
    Seconds accumulation;  ///< part of `backward` that computes
  };

  /// Neighbouring layers that cost the same, or groups of layers that are recomputed together.
  struct LayerRun {
    std::int32_t count = 0;
    const BlockCosts* costs = nullptr;
  };
  struct BlockRun {
    std::int32_t count = 1;
    BlockTime time;  ///< of one block
    std::int64_t parameters = 0;
    std::int64_t num_tensors = 0;
    std::int64_t updated = 0;  ///< parameters without those that another block of the stage has too
    std::int64_t expert_parameters = 0;
    bool read_in_backward = true;
    bool is_layer = false;
    Bytes saved{};              ///< of a layer
    bool ends_group = true;     ///< of layers that are recomputed together
    Seconds recompute_ahead{};  ///< part of `time` that runs before the last of the group does
    Seconds others_ahead{};     ///< of the last: that part of the group's others

    Seconds own_backward() const { return time.whole_backward() - recompute_ahead; }
    /// What a part of backward asks of the wire.
    WireTime wire_of(Seconds part) const {
      const Seconds whole = time.whole_backward();
      return whole > Seconds(0) ? time.wire_backward * (part / whole) : WireTime{};
    }
  };
  const MachineCosts& machine(const Strategy& strategy);
  BlockKey block_key(const Strategy& strategy, const RecomputeSet& recompute, LayerKind kind) const;
  const KernelCost& kernel_cost(const Strategy& strategy);
  const BlockCosts& blocks(const Strategy& strategy, const RecomputeSet& recompute, LayerKind kind);
  /// Of a group with layers of these kinds.
  const BlockCosts& group_blocks(const Strategy& strategy, const std::vector<LayerKind>& kinds);
  /// Of the first layer: tells of the end blocks, which are the same beside layers of any kind.
  const BlockCosts& first_blocks(const Strategy& strategy);
  bool layers_are_alike(const Strategy& strategy) const;
  bool has_same_layers(const Strategy& strategy, const LayerRange& one, const LayerRange& other) const;
  std::vector<LayerRun> layer_runs(const Strategy& strategy, const LayerRange& layers);
  std::vector<LayerRun> group_runs(const Strategy& strategy, const LayerRange& layers);
  static LayersMemory layers_memory(const std::vector<LayerRun>& runs, StagePlace place);
  /// With layers' saved activations on the host but for the last layer's, where `keeps_last`.
  static LayersMemory offloaded_memory(const std::vector<LayerRun>& runs, StagePlace place, bool keeps_last);
  /// What passes wait for beside what is in their blocks: what ranks share, and copies.
  enum class Waits : std::uint8_t { kNone, kShared, kAll };
  /// Of a stage's forwards that follow one another, and of its backwards.
  double share_in_runs(const Strategy& strategy, std::int32_t stage) const;
  bool keeps_last_layer(const Strategy& strategy, std::int32_t virtual_stage) const;
  OffloadWaits waits_for_copies(const MachineCosts& machine, const std::vector<BlockRun>& blocks,
                                bool keeps_last, Waits waits) const;
  /// What passes of a chunk of the stage wait for, and the stage's further microbatches.
  void add_copies(const Strategy& strategy, std::int32_t stage, const OffloadWaits& waits, BlockTime& time,
                  PassWaits& further) const;
  void add_streamed(const Strategy& strategy, const std::vector<BlockRun>& blocks,
                    StageParameters& parameters) const;
  /// Optimizer states on the device while they pass through it, at most.
  Bytes streamed_states(const StageParameters& stage) const;
  /// Single layers of groups.
  static void add_grouped_layers(const LayerRun& run, std::vector<BlockRun>& blocks);
  std::vector<BlockRun> block_runs(const Strategy& strategy, const LayerRange& layers,
                                   std::int32_t virtual_stage);
  ShardedWaits sharded_waits(const Strategy& strategy, const MachineCosts& machine,
                             const std::vector<BlockRun>& blocks);
  Bytes sharded_transients(const Strategy& strategy, const std::vector<BlockRun>& blocks);
  /// What sums and gathers beside the passes meet of the chunk.
  void add_bucket_blocks(const Strategy& strategy, const std::vector<BlockRun>& blocks,
                         StageParameters& parameters) const;
  Chunks chunks_of(const Strategy& strategy) const;
  ChunkSum chunk_sum(const Strategy& strategy, const MachineCosts& machine, const LayerRange& layers,
                     std::int32_t k, Waits waits);
  /// The chunk's gradients that are matrices.
  void add_chunk_matrices(const Strategy& strategy, const std::vector<LayerRun>& runs, std::int32_t k,
                          std::vector<GradientMatrix>& matrices);
  /// Adds it to the stage; returns its passes.
  ChunkPass add_chunk(const Strategy& strategy, const MachineCosts& machine, const ChunkSum& chunk,
                      std::int32_t k, StageSum& stage) const;
  bool is_like_before(const Strategy& strategy, const Chunks& chunks, std::int32_t stage) const;
  StageSums stage_sums(const Strategy& strategy, const MachineCosts& machine, Waits waits = Waits::kAll);
  Pipeline pipeline(const Strategy& strategy, const MachineCosts& machine, const StageSums& sums);
  PipelinePosition position_of(const Strategy& strategy, std::int32_t stage) const;
  /// Of chunk `chunk`, when the first backward begins in the last one.
  static std::int32_t forwards_before_backward(const Strategy& strategy, const PipelinePosition& position,
                                               std::int32_t chunk);
  /// When a stage holds most: in its last chunk. Some may be the same.
  using Moments = std::array<RematerializationProblem::Moment, 3>;
  static Moments moments(const Strategy& strategy, const PipelinePosition& position);
  /// Both of a stage.
  static Bytes activations(const Strategy& strategy, const PipelinePosition& position, const StageSums& sums);
  static Bytes on_host(const Strategy& strategy, const PipelinePosition& position, const StageSums& sums);
  /// What a microbatch keeps in a chunk.
  LayersMemory chunk_memory(const Strategy& strategy, const std::vector<LayerRun>& runs,
                            const std::vector<BlockRun>& blocks, std::int32_t k);
  StageMemory stage_memory(const Strategy& strategy, const StageSums& sums, std::int32_t stage);
  /// With so many bytes in place of what its layers hold.
  StageMemory stage_memory(const Strategy& strategy, const StageSums& sums, std::int32_t stage,
                           Bytes activations);

  /// Sets that a layer may recompute, no two of them the same kernels.
  struct LayerChoiceSets {
    std::vector<RecomputeSet> sets;  ///< the first: none
    std::vector<LayerChoice> choices;
  };
  const LayerChoiceSets& layer_choices(const Strategy& strategy, LayerKind kind, StagePlace place);
  RematerializationProblem stage_problem(const Strategy& strategy, const Chunks& chunks,
                                         const StageSums& sums, std::int32_t stage);
  /// Whether nothing that could be recomputed makes some stage fit in so much.
  bool is_hopeless(const Strategy& strategy, Bytes there);
  /// Whether all stages fit.
  bool solve_stages(const Strategy& strategy, double tolerance, Recompute& recompute);
  /// When each stage is done with its passes at the earliest.
  std::vector<Seconds> least_ends(const Strategy& strategy, const StageSums& sums) const;
  /// Of the stage's step at least, after its passes: sums, update, gather and states on the host.
  Seconds least_after(const OnceAStepContext& context, const StageParameters& stage);

  const Scenario& scenario_;
  const Cluster& cluster_;
  bool has_one_layer_kind_;
  std::map<Precision, KernelCost> kernel_costs_;
  CommunicationPrices prices_;
  std::map<BlockKey, BlockCosts> blocks_;
  std::map<std::pair<BlockKey, std::vector<LayerKind>>, BlockCosts> group_blocks_;
  std::map<std::pair<BlockKey, StagePlace>, LayerChoiceSets> layer_choices_;
  std::map<MachineKey, MachineCosts> machines_;
  // The last ones asked for: one evaluation asks many times, and so do candidates that differ elsewhere.
  const std::pair<const BlockKey, BlockCosts>* last_blocks_ = nullptr;
  const BlockCosts* first_blocks_ = nullptr;  ///< of the strategy that is being evaluated, once asked for
  const std::pair<const MachineKey, MachineCosts>* last_machine_ = nullptr;
};

class ClosedForm::Body {
 public:
  /// No step of these strategies is shorter: of each stage, the first forwards of those before it, its own
  /// passes, the last backwards of those before it, with communication within blocks and without any other.
  Seconds step_time() const { return step_time_; }
  /// Nor of those that recompute what it does: no shorter than the copies of any stage one way.
  Seconds own_step_time() const { return std::max(step_time_, copies_); }
  /// And no first stage computes for less.
  Seconds busy() const { return busy_; }

 private:
  friend class ClosedForm;
  struct Run {
    std::int32_t fullest = 0;  ///< of its stages
    Bytes activations;         ///< there
    Seconds end;               ///< of the passes of the stage that ends last
  };

  StageSums sums_;
  std::vector<Run> runs_;      ///< of stages that are alike
  std::vector<Seconds> ends_;  ///< of each stage's passes
  Seconds step_time_, copies_, busy_;
};

/// Fills in what follows from step time, breakdown and memory: rates, utilisation, energy, cost.
/// Energy: busy GPUs draw power_busy for the share of the step that the slowest stage computes, power_idle
/// otherwise.
void complete_estimate(Estimate& estimate, const Scenario& scenario);

/// FLOPs of matrix products that all ranks spend on recomputation in a step.
Flops recompute_flops(const Scenario& scenario, const Strategy& strategy);

}  // namespace portolan
