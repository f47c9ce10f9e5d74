#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plan/block_lowering.h"
#include "plan/compressed_sum.h"
#include "plan/legality.h"
#include "plan/lower.h"
#include "plan/program.h"
#include "plan/rank_place.h"
#include "plan/recompute_groups.h"
#include "plan/scenario.h"
#include "plan/schedule.h"
#include "plan/template_assembler.h"

namespace portolan {

/// What all stages of one Program share.
struct LoweringContext {
  const Scenario& scenario;
  const Strategy& strategy;
  BlockOptions options;
  Block embedding;
  std::vector<Block> layer_kinds;  ///< by LayerKind
  std::vector<LayerKind> kinds;    ///< of each layer
  Block head;
  std::vector<std::int32_t> layers;  ///< of each virtual stage
  std::int32_t num_microbatches = 0;

  std::int32_t num_stages() const { return strategy.pipeline_parallel; }
  std::int32_t num_virtual_stages() const { return strategy.pipeline_parallel * strategy.virtual_stages; }
  BoundaryBytes boundary() const { return boundary_bytes(scenario, strategy); }
  Sharding sharding() const { return sharding_of(scenario, strategy); }
  /// Whether pipeline sends carry one tensor-parallel shard, which the receiver's group gathers.
  bool scatters_sends() const { return boundary().sent < boundary().held; }
};

/// The block of each kind of layer that the model has.
std::vector<Block> layer_kinds(const TransformerConfig& model, const BlockOptions& options);

/// Builds one stage: its chunks one after another (buffers and templates), what is done once a step, and the
/// order list. Chunk c of stage s is virtual stage c p + s.
class StageLowering {
 public:
  StageLowering(const LoweringContext& context, std::int32_t stage_index)
      : context_(context), index_(stage_index) {}

  Stage lower();

 private:
  /// A run of neighbouring blocks.
  struct Chunk {
    std::int32_t index = 0;
    std::int32_t virtual_stage = 0;
    std::vector<BlockLowering> blocks = {};
    std::vector<BlockLowering::Place> places = {};
    std::vector<std::size_t> first_parameter = {};  ///< of each block, into parameters_
    std::int32_t input = Buffer::kNone;             ///< hidden states received
    std::int32_t output = Buffer::kNone;            ///< hidden states sent
    std::int32_t output_gradient = Buffer::kNone;
    std::int32_t input_gradient = Buffer::kNone;
    bool keeps_last_layer = false;  ///< of activations that go to the host
    std::int32_t forward_template = -1;
    std::int32_t backward_template = -1;         ///< with a split backward: of input gradients
    std::int32_t weight_gradient_template = -1;  ///< with a split backward only
  };
  enum class Direction : std::uint8_t { kForward, kBackward };

  bool has_embedding(const Chunk& chunk) const { return chunk.virtual_stage == 0; }
  bool has_head(const Chunk& chunk) const { return chunk.virtual_stage == context_.num_virtual_stages() - 1; }
  bool first() const { return index_ == 0; }
  bool last() const { return index_ == context_.num_stages() - 1; }
  PipelinePosition position() const {
    return {index_, context_.num_stages(), context_.num_microbatches, context_.strategy.virtual_stages};
  }
  /// Of layer `i` of the chunk.
  BlockLowering::Place place_of_layer(const Chunk& chunk, std::int32_t i) const;
  std::int32_t num_layers(const Chunk& chunk) const {
    return context_.layers[static_cast<std::size_t>(chunk.virtual_stage)];
  }

  void make_blocks(Chunk& chunk);
  void add_block(Chunk& chunk, const Block& block, std::string prefix, const BlockPorts& ports,
                 const BlockLowering::Place& place);
  BlockPorts head_ports(std::int32_t input);
  void zero_gradients();
  void forward(Chunk& chunk);
  void backward(Chunk& chunk);
  /// Returns the first block whose gradients are in buckets.
  std::size_t backward_blocks(TemplateAssembler& assembler, Chunk& chunk);
  bool moves_to_host(const Chunk& chunk, std::size_t block) const;
  /// `copies`: of the layers of the template so far, the op that copies it, -1: none. Before each forward or
  /// backward of a block.
  void wait_for_copies(TemplateAssembler& assembler, const Chunk& chunk, std::size_t block,
                       std::vector<std::int32_t>& copies) const;
  void copy_to_host(TemplateAssembler& assembler, Chunk& chunk, std::size_t block,
                    std::vector<std::int32_t>& copies) const;
  void copy_from_host(TemplateAssembler& assembler, Chunk& chunk, std::size_t block) const;
  void backward_step(TemplateAssembler& assembler, Chunk& chunk, const BackwardStep& step);
  void gradient_sync();
  /// The update of a parameter, with states that it makes.
  /// A buffer of `bytes` that lives while `op` runs; nothing where they are 0.
  void add_communication_buffer(Op& op, const char* name, Bytes bytes);
  /// Ranks that update a part of it each.
  std::int64_t updating_ranks(const StageParameter& parameter) const;
  /// Those of the shard that this rank updates.
  std::int64_t updated_elements(const StageParameter& parameter) const;
  /// Adds the kernel that copies its gradient for the update. Returns the copy.
  std::int32_t copy_gradient(TemplateAssembler& assembler, const StageParameter& parameter);
  /// gradient_copy: what it reads instead of the gradient, if anything.
  Kernel update_of(const StageParameter& parameter, std::int32_t gradient_copy = Buffer::kNone);
  /// Updates of all parameters, block by block, with states that come from the host and go back.
  void streamed_optimizer(TemplateAssembler& assembler);
  void optimizer();
  void parameter_gather();
  void order();

  std::int32_t hidden_buffer(const std::string& name);
  /// "" where the stage has one chunk, else "chunk 1 ".
  std::string chunk_prefix(const Chunk& chunk) const;
  /// A send or receive of the hidden states or their gradient; a receive is gathered over the tensor-parallel
  /// group where only a shard is sent.
  Op boundary_op(const Chunk& chunk, Direction direction, OpKind kind, std::int32_t buffer) const;
  void receive(TemplateAssembler& assembler, const Chunk& chunk, Direction direction, std::int32_t buffer);
  void send(TemplateAssembler& assembler, const Chunk& chunk, Direction direction, std::int32_t buffer);
  void wait_for_sends(TemplateAssembler& assembler) const;
  /// A collective of the ranks that share what ZeRO divides, or what it divides of an expert.
  Op zero_op(Phase phase, LaneIndex lane, bool expert) const;
  BlockLowering::SharersOp sharers_op(Phase phase, LaneIndex lane) const;
  using Parameters = std::span<const StageParameter>;
  /// Of the parameters that the blocks from `first_block` up to `end_block` made.
  Parameters parameters_of(const Chunk& chunk, std::size_t first_block, std::size_t end_block) const;
  Op gradient_op(Parameters parameters, AxisSet axes, LaneIndex lane) const;
  /// Sums of gradients over the ranks that hold the same parameters, one after another.
  std::vector<Op> data_sums(Parameters parameters) const;
  void add_data_sums(Parameters parameters, bool expert, std::vector<Op>& sums) const;
  /// Of parts of gradients over the tensor-parallel group; of a tied embedding over the end stages.
  std::optional<Op> tensor_sum() const;
  std::optional<Op> sum_of_ends() const;
  std::vector<Op> gradient_sums() const;
  /// gradient_sync() with gradients that are made smaller for the sums over the ranks that hold the same
  /// parameters.
  void compressed_gradient_sync();
  void add_compressed_sum(TemplateAssembler& assembler, bool expert);
  using SumBuffers = std::array<std::vector<std::int32_t>, kNumSumBuffers>;
  SumBuffers sum_buffers(const CompressedSum& sum, const std::vector<StageParameter>& parameters);
  /// Whether the gradients of `parameters` reach the size of a bucket.
  bool fill_bucket(Parameters parameters) const;
  /// Sums the gradients of the blocks from `done` up to `unsummed` where they fill a bucket, and moves
  /// `unsummed` there.
  void sum_full_bucket(TemplateAssembler& assembler, const Chunk& chunk, std::size_t done,
                       std::size_t& unsummed) const;
  void gather_buckets(TemplateAssembler& assembler, const Chunk& chunk) const;
  std::vector<Op> parameter_gather_ops(Parameters parameters) const;

  const LoweringContext& context_;
  std::int32_t index_;
  Stage stage_;
  std::vector<Chunk> chunks_;
  std::vector<StageParameter> parameters_;
  std::int32_t loss_ = Buffer::kNone;
  std::int32_t zero_template_ = -1;
  std::vector<std::int32_t> closing_templates_;
};

}  // namespace portolan
