#pragma once

#include <string>
#include <vector>

#include "plan/program.h"
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
};

/// A parameter of the stage with everything that its update needs.
struct StageParameter {
  std::int32_t value = 0;
  std::int32_t gradient = 0;
  std::int64_t elements = 0;
  bool tied = false;              ///< the word embedding of a tied model
  bool partial_gradient = false;  ///< to be summed over the tensor-parallel group (Tensor::partial_gradient)
};

/// Which of `block.forward` run again before its backward: those of the groups in `set` whose results
/// backward reads, directly or through others; all of the groups when `whole_group`.
std::vector<bool> kernels_to_recompute(const Block& block, const RecomputeSet& set, bool whole_group);

/// Places one block (embedding, layer or head) in a stage: makes its buffers, then appends its kernels to the
/// forward and backward templates. Recomputed kernels write buffers of their own in the backward template,
/// so that what they made in forward is freed there.
class BlockLowering {
 public:
  BlockLowering(Stage& stage, const Block& block, std::string prefix, const BlockPorts& ports);

  void make_parameters(std::vector<StageParameter>& parameters);

  struct Place {
    std::int32_t layer = Op::kNoLayer;
    RecomputeSet recompute;
    bool recompute_whole_group = false;
  };
  void forward(TemplateAssembler& assembler, const Place& place);
  /// `phase`: kBackward, or with a split backward kBackwardInput, then kBackwardWeight in a later template.
  void backward(TemplateAssembler& assembler, const Place& place, Phase phase);

 private:
  std::int32_t make_activation(int tensor, const std::string& suffix);
  std::int32_t port_buffer(const Tensor& tensor) const;
  void append(TemplateAssembler& assembler, const TemplateAssembler::ComputePlace& place,
              const GroupedKernel& grouped, std::vector<std::int32_t>& map);

  Stage& stage_;
  const Block& block_;
  std::string prefix_;
  BlockPorts ports_;
  void recompute(TemplateAssembler& assembler, const Place& place);

  std::vector<std::int32_t> map_;           ///< tensor to buffer
  std::vector<std::int32_t> backward_map_;  ///< likewise, in backward: what was recomputed elsewhere
};

}  // namespace portolan
