#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plan/block_lowering.h"
#include "plan/lower.h"
#include "plan/program.h"
#include "plan/scenario.h"
#include "plan/template_assembler.h"

namespace portolan {

/// What all stages of one Program share.
struct LoweringContext {
  const Scenario& scenario;
  const Strategy& strategy;
  BlockOptions options;
  Block embedding;
  Block layer;
  Block head;
  std::vector<std::int32_t> layers;
  std::int32_t num_microbatches = 0;

  std::int32_t num_stages() const { return strategy.pipeline_parallel; }
  Bytes hidden_bytes() const {
    return Bytes(options.microbatch_size * options.sequence_length * scenario.model.hidden_size *
                 options.compute_bytes);
  }
};

/// Builds one stage.
class StageLowering {
 public:
  StageLowering(const LoweringContext& context, std::int32_t stage_index)
      : context_(context), index_(stage_index) {}

  Stage lower();

 private:
  bool first() const { return index_ == 0; }
  bool last() const { return index_ == context_.num_stages() - 1; }
  BlockLowering::Place place_of_layer(std::int32_t layer) const;
  void make_blocks();
  void zero_gradients();
  void forward();
  void backward();
  void gradient_sync();
  void optimizer();
  void parameter_gather();
  void order();

  std::int32_t hidden_buffer(const std::string& name) {
    return add_buffer(stage_, {.name = name,
                               .kind = BufferKind::kActivation,
                               .bytes = context_.hidden_bytes(),
                               .first = {},
                               .last = {}});
  }
  /// A receive of the hidden state or its gradient, gathered over the tensor-parallel group where only a
  /// shard is sent.
  void receive(TemplateAssembler& assembler, bool from_previous, std::int32_t buffer);
  void send(TemplateAssembler& assembler, bool to_next, std::int32_t buffer);
  Bytes boundary_bytes() const;

  const LoweringContext& context_;
  std::int32_t index_;
  Stage stage_;
  std::vector<BlockLowering> blocks_;
  std::vector<BlockLowering::Place> places_;
  std::vector<StageParameter> parameters_;
  std::int32_t stage_input_ = Buffer::kNone;
  std::int32_t stage_output_ = Buffer::kNone;
  std::int32_t hidden_gradient_ = Buffer::kNone;
  std::int32_t loss_ = Buffer::kNone;
  std::int32_t zero_template_ = -1, forward_template_ = -1, backward_template_ = -1;
  std::vector<std::int32_t> closing_templates_;
};

}  // namespace portolan
