#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/quantity.h"
#include "model/block.h"
#include "plan/collective.h"
#include "plan/compression.h"
#include "topology/hardware.h"
#include "topology/node_list.h"
#include "topology/placement.h"

namespace portolan {

enum class ScheduleKind : std::uint8_t { kGPipe, kOneFOneB, kInterleaved, kZeroBubbleH1 };

/// Which kernel groups of a layer run again before its backward.
using RecomputeSet = std::bitset<kNumKernelGroups>;
RecomputeSet recompute_none();
/// The attention core: scores, softmax and dropout, whose results grow with the square of the sequence. The
/// context is kept, as in the memory formula of Korthikanti et al. 2022 (arXiv 2205.05198), section 5.
RecomputeSet recompute_selective();
RecomputeSet recompute_full();

/// The sets of least recomputed time for the memory that there is (ClosedForm::optimal_recompute).
struct RecomputeOptimal {
  Bytes spare;          ///< of each device's memory, left free by the closed form's count
  bool chosen = false;  ///< the sets are there; until then they stand for nothing

  bool operator==(const RecomputeOptimal&) const = default;
};

/// What is recomputed in each layer: one set for all layers, or one a layer.
struct Recompute {
  RecomputeSet all_layers;
  std::vector<RecomputeSet> per_layer;  ///< empty, or num_layers long and used instead
  /// Layers of a virtual stage that are recomputed together, from the first on; where they do not come out
  /// even the last group is shorter. Only the input of each group's first layer is kept. Above 1 with full
  /// recomputation of all layers alone. Source: Megatron-LM, --recompute-method uniform with
  /// --recompute-num-layers.
  std::int32_t layers_per_group = 1;
  /// Where a solver chooses, or has chosen, all of the above: an Evaluator asks it once the strategy's other
  /// fields are known. A Program needs sets that are there.
  std::optional<RecomputeOptimal> optimal = {};

  /// Whether the sets are still to be chosen.
  bool is_open() const { return optimal && !optimal->chosen; }
  const RecomputeSet& of_layer(std::int64_t layer) const {
    return per_layer.empty() ? all_layers : per_layer[static_cast<std::size_t>(layer)];
  }
  bool operator==(const Recompute&) const = default;
};

/// Full recomputation of the first layers of each virtual stage, none in the others: which layers these are
/// follows from the stages. Source: Megatron-LM, --recompute-method block with --recompute-num-layers.
struct RecomputeBlock {
  std::int32_t num_layers = 0;  ///< of each virtual stage; all of it where it has fewer

  bool operator==(const RecomputeBlock&) const = default;
};
/// What a user asks for: sets, or a rule that gives them once the stages are known.
using RecomputeChoice = std::variant<Recompute, RecomputeBlock>;
/// `layers`: of each virtual stage, in order. Where all layers turn out alike, one set for all.
Recompute recompute_of(const RecomputeChoice& choice, const std::vector<std::int32_t>& layers);

struct GradientAggregation {
  CollectiveAlgorithm algorithm = CollectiveAlgorithm::kRing;
  Bytes bucket;          ///< with overlap: gradients of so many bytes or more together; 0: those of a chunk
  bool overlap = false;  ///< with the last microbatch's backward; else all of a stage's together after it
  Compression compression = {};

  bool operator==(const GradientAggregation&) const = default;
};

/// What is kept in the memory of a node's host while the device does not use it: activations from forward to
/// backward, states of the optimizer from step to step.
enum class Offload : std::uint8_t { kNone, kActivations, kOptimizer, kActivationsAndOptimizer };
constexpr bool offloads_activations(Offload offload) {
  return offload == Offload::kActivations || offload == Offload::kActivationsAndOptimizer;
}
constexpr bool offloads_optimizer(Offload offload) {
  return offload == Offload::kOptimizer || offload == Offload::kActivationsAndOptimizer;
}

/// How a training step is divided over ranks and ordered in time.
struct Strategy {
  std::int32_t tensor_parallel = 1;
  std::int32_t pipeline_parallel = 1;
  std::int32_t data_parallel = 1;
  std::int32_t context_parallel = 1;
  std::int32_t expert_parallel = 1;
  std::int32_t virtual_stages = 1;
  bool sequence_parallel = false;
  std::int64_t microbatch_size = 1;
  ScheduleKind schedule = ScheduleKind::kOneFOneB;
  std::int32_t zero_stage = 0;
  std::int32_t zero_group = 0;  ///< ranks that share a shard; 0: the whole data-parallel group
  Recompute recompute;
  GradientAggregation gradient_aggregation;
  Precision precision = Precision::kBf16;
  Offload offload = Offload::kNone;
  std::vector<std::int32_t> layers_per_stage;  ///< empty: as even as can be, longer stages in the middle
  std::array<Axis, kNumAxes> axis_order = {Axis::kTensor, Axis::kContext, Axis::kExpert, Axis::kData,
                                           Axis::kPipeline};
  /// Nodes of the hardware that ranks fill, in this order: what a mapping chose (plan/place_nodes.h). Empty:
  /// as the scenario has them.
  NodeList node_order = {};

  std::int32_t num_ranks() const {
    return tensor_parallel * pipeline_parallel * data_parallel * context_parallel;
  }
  bool operator==(const Strategy&) const = default;
};

/// Parts of a Strategy that a user fixed; the search chooses the others.
struct StrategyConstraints {
  std::optional<std::int32_t> tensor_parallel;
  std::optional<std::int32_t> pipeline_parallel;
  std::optional<std::int32_t> data_parallel;
  std::optional<std::int32_t> context_parallel;
  std::optional<std::int32_t> expert_parallel;
  std::optional<std::int32_t> virtual_stages;
  std::optional<bool> sequence_parallel;
  std::optional<std::int64_t> microbatch_size;
  std::optional<ScheduleKind> schedule;
  std::optional<std::int32_t> zero_stage;
  std::optional<std::int32_t> zero_group;
  std::optional<RecomputeChoice> recompute;
  std::optional<CollectiveAlgorithm> aggregation;
  std::optional<Bytes> bucket;
  std::optional<bool> overlap;
  std::optional<Compression> compression;
  std::optional<Precision> precision;
  std::optional<Offload> offload;
  std::optional<std::vector<std::int32_t>> layers_per_stage;
  std::optional<std::array<Axis, kNumAxes>> axis_order;

  bool operator==(const StrategyConstraints&) const = default;
};

/// Layers of each virtual stage (chunk c of stage s is number c p + s): the strategy's own list, or as even
/// as can be with the longer ones away from the ends, which carry embedding and head. Precondition: one stage
/// or more.
std::vector<std::int32_t> layers_of_stages(std::int64_t num_layers, const Strategy& strategy);
/// The same, or nothing where stages are fewer than one or do not make up the layers.
std::optional<std::vector<std::int32_t>> find_layers_of_stages(std::int64_t num_layers,
                                                               const Strategy& strategy);
/// The rule that gives what `strategy` recomputes in each layer, where it is one.
std::optional<RecomputeBlock> find_recompute_block(const Strategy& strategy);

/// "tp8 pp8 dp8 mb1 1f1b full zero1": what tables print. Fields at their defaults are left out but for the
/// degrees; what a solver chose to recompute is "optimal", and a long list "layer-by-layer".
std::string short_name(const Strategy& strategy);
std::string_view schedule_name(ScheduleKind schedule);
std::optional<ScheduleKind> find_schedule(std::string_view name);
/// As `recompute=` takes it: "full", "norm1+mlp", "uniform:2"; a list of layers as runs of equal ones,
/// "full*2:none*6". Of a strategy, the rule behind a list where there is one: "block:3".
std::string recompute_name(const Recompute& recompute);
std::string recompute_name(const Strategy& strategy);
std::string_view kernel_group_name(KernelGroup group);
std::optional<RecomputeSet> find_recompute(std::string_view name);
/// Whole layers, the second, the fourth and so on. Source: torchtitan, selective activation checkpointing
/// with option "2".
Recompute recompute_every_other(std::int64_t num_layers);
std::string_view precision_name(Precision precision);
std::optional<Precision> find_precision(std::string_view name);
std::string_view offload_name(Offload offload);
std::optional<Offload> find_offload(std::string_view name);
std::string_view axis_name(Axis axis);
std::optional<Axis> find_axis(std::string_view name);

}  // namespace portolan
