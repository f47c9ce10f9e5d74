#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "plan/program.h"
#include "plan/sharding.h"
#include "plan/strategy.h"
#include "plan/template_assembler.h"

namespace portolan {

/// Buffers that a block shares with its neighbours, as indices into Stage::buffers.
struct BlockPorts {
  std::int32_t input = Buffer::kNone;
  std::int32_t output = Buffer::kNone;
  std::int32_t hidden_gradient = Buffer::kNone;
  std::int32_t input_gradient = Buffer::kNone;  ///< with a split backward only
  std::int32_t loss = Buffer::kNone;
  /// Word embedding and its gradient where the head reads the embedding's own; else it gets its own.
  std::int32_t tied_weight = Buffer::kNone;
  std::int32_t tied_gradient = Buffer::kNone;
  std::int32_t tied_narrow_gradient = Buffer::kNone;
};

/// What a communication kernel of a block is to a Program. Precondition: is_communication(kind).
CollectiveKind collective_of(KernelKind kind);
Axis axis_of(KernelKind kind);

/// A parameter of the stage with everything that its update needs.
struct StageParameter {
  std::int32_t value = 0;
  std::int32_t gradient = 0;
  std::int32_t narrow_gradient = Buffer::kNone;  ///< of one microbatch, where it is kept
  std::int64_t elements = 0;
  std::int64_t rows = 1;          ///< Tensor::rows
  bool tied = false;              ///< the word embedding of a tied model
  bool expert = false;            ///< held by the ranks of one expert group only (Tensor::expert)
  bool partial_gradient = false;  ///< to be summed over the tensor-parallel group (Tensor::partial_gradient)
};

/// Which of `block.forward` run again before its backward: those of the groups in `set` whose results
/// backward reads, directly or through others; all of the groups when `whole_group`. `with_output`: also what
/// makes the block's output, which the next one's recomputation reads.
std::vector<bool> kernels_to_recompute(const Block& block, const RecomputeSet& set, bool whole_group,
                                       bool with_output = false);

/// Places one block (embedding, layer or head) in a stage: makes its buffers, then appends its kernels to the
/// forward and backward templates. Recomputed kernels write buffers of their own in the backward template,
/// so that what they made in forward is freed there.
class BlockLowering {
 public:
  BlockLowering(Stage& stage, const Block& block, std::string prefix, const BlockPorts& ports);

  struct Place {
    std::int32_t layer = Op::kNoLayer;
    RecomputeSet recompute;
    bool recompute_whole_group = false;
    bool ends_group = true;  ///< else recomputed with the next block, whose input is made again too
  };

  void make_parameters(const Sharding& sharding, std::vector<StageParameter>& parameters);
  bool backward_reads_parameters() const { return portolan::backward_reads_parameters(block_); }

  /// An op over the ranks that share parameters; over those that share an expert's.
  using SharersOp = std::function<Op(bool expert)>;
  /// With sharded parameters: all of them gathered into buffers that live as long as the pass needs them.
  /// Before forward(), and between begin_backward() and backward().
  void gather_for_forward(TemplateAssembler& assembler, const SharersOp& op) {
    gather(assembler, op, map_, "");
  }
  void gather_for_backward(TemplateAssembler& assembler, const SharersOp& op) {
    gather(assembler, op, backward_map_, " (gathered again)");
  }
  /// The same where it is not for backward itself, which gathers once more.
  void gather_for_recompute(TemplateAssembler& assembler, const SharersOp& op) {
    gather(assembler, op, backward_map_, " (gathered to recompute)");
  }
  /// With sharded gradients, after backward(): the sum of all ranks' gradients, a shard to each.
  void reduce(TemplateAssembler& assembler, const SharersOp& op);
  /// Adds the reduced shards to the accumulated ones.
  void accumulate(TemplateAssembler& assembler, const Place& place);

  void forward(TemplateAssembler& assembler, const Place& place);
  /// After forward(): what backward reads of what it made goes to the host. Returns the op.
  std::int32_t copy_to_host(TemplateAssembler& assembler, const Place& place);
  /// After begin_backward(), before backward(): and comes back, into buffers of its own.
  /// `beside_slot_before`: it may begin as soon as the slot before does.
  void copy_from_host(TemplateAssembler& assembler, const Place& place, bool beside_slot_before);
  /// Without bytes and buffers.
  static Op copy_op(const Place& place, bool to_host);
  /// What forward made is what backward reads, unless it is gathered or recomputed.
  void begin_backward() { backward_map_ = map_; }
  /// Before backward() of the kinds that begin one, directly or with other blocks in between.
  void recompute(TemplateAssembler& assembler, const Place& place);
  /// The input of `next`, which is made again, is the output that recompute() of this block made.
  void hand_output_to(BlockLowering& next) const;
  /// `phase`: kBackward, or with a split backward kBackwardInput, then kBackwardWeight in a later template.
  void backward(TemplateAssembler& assembler, const Place& place, Phase phase);

 private:
  /// Of what forward made, that backward reads; what it recomputes first is not.
  std::vector<std::size_t> saved_tensors(const Place& place) const;
  std::int32_t make_activation(int tensor, const std::string& suffix);
  std::int32_t port_buffer(const Tensor& tensor) const;
  void append(TemplateAssembler& assembler, const TemplateAssembler::ComputePlace& place,
              const GroupedKernel& grouped, std::vector<std::int32_t>& map);

  void make_parameter(std::size_t tensor, std::vector<StageParameter>& parameters);
  std::size_t tensor_of(TensorRole role) const;
  void gather(TemplateAssembler& assembler, const SharersOp& sharers, std::vector<std::int32_t>& map,
              std::string_view suffix);
  /// What was gathered goes to where kernels read it.
  void copy_gathered(TemplateAssembler& assembler, const TemplateAssembler::ComputePlace& place);
  /// Gradients go to where they are reduced.
  void copy_to_reduce(TemplateAssembler& assembler, const TemplateAssembler::ComputePlace& place);

  /// A parameter that the block uses: its own, or the embedding's.
  struct Owned {
    std::size_t tensor = 0;  ///< its gradient is the next
    std::int32_t value = 0;  ///< persistent buffers: whole or shards
    std::int32_t gradient = 0;
    std::int32_t reduced = Buffer::kNone;  ///< this microbatch's shard of the gradient
  };

  Stage& stage_;
  const Block& block_;
  std::string prefix_;
  BlockPorts ports_;
  Sharding sharding_;
  std::vector<Kernel> copies_;  ///< of what is gathered and not yet in its place
  std::array<std::int32_t, 2> to_reduce_{Buffer::kNone, Buffer::kNone};  ///< copies; the second of experts'
  std::vector<Owned> owned_;
  struct Moved {
    std::size_t tensor = 0;
    std::int32_t host = 0;  ///< buffer
  };
  std::vector<Moved> moved_;                ///< what is on the host between forward and backward
  std::vector<std::int32_t> map_;           ///< tensor to buffer
  std::vector<std::int32_t> backward_map_;  ///< likewise, in backward: what was recomputed elsewhere
};

}  // namespace portolan
