#include "plan/stage_lowering.h"

#include <fmt/format.h>

#include "plan/schedule.h"

namespace portolan {

BlockLowering::Place StageLowering::place_of_layer(std::int32_t layer) const {
  return {.layer = layer,
          .recompute = context_.strategy.recompute.of_layer(layer),
          .recompute_whole_group = context_.scenario.software.recompute_whole_group.value};
}

void StageLowering::make_blocks() {
  const auto place_block = [&](const Block& block, std::string prefix, const BlockPorts& ports,
                               const BlockLowering::Place& place) {
    blocks_.emplace_back(stage_, block, std::move(prefix), ports);
    blocks_.back().make_parameters(parameters_);
    places_.push_back(place);
  };
  hidden_gradient_ = hidden_buffer("hidden_gradient");
  std::int32_t hidden = Buffer::kNone;
  if (first()) {
    hidden = hidden_buffer("embedding output");
    place_block(context_.embedding, "embedding", {.output = hidden, .hidden_gradient = hidden_gradient_}, {});
  } else {
    hidden = stage_input_ = hidden_buffer("stage input");
  }
  std::int32_t first_layer = 0;
  for (std::int32_t s = 0; s < index_; ++s) {
    first_layer += context_.layers[static_cast<std::size_t>(s)];
  }
  for (std::int32_t i = 0; i < context_.layers[static_cast<std::size_t>(index_)]; ++i) {
    const std::int32_t layer = first_layer + i;
    const std::int32_t output = hidden_buffer(fmt::format("layer {} output", layer));
    place_block(context_.layer, fmt::format("layer {}", layer),
                {.input = hidden, .output = output, .hidden_gradient = hidden_gradient_},
                place_of_layer(layer));
    hidden = output;
  }
  stage_output_ = hidden;
  if (last()) {
    loss_ = add_buffer(stage_, {.name = "loss",
                                .kind = BufferKind::kWorkspace,
                                .bytes = Bytes(8),
                                .persistent = true,
                                .first = {},
                                .last = {},
                                .init = ParameterInit::kZeros});
    BlockPorts ports{.input = hidden, .hidden_gradient = hidden_gradient_, .loss = loss_};
    if (first() && context_.scenario.model.tied_embeddings) {
      for (const StageParameter& parameter : parameters_) {
        if (parameter.tied) {
          ports.tied_weight = parameter.value;
          ports.tied_gradient = parameter.gradient;
        }
      }
    }
    place_block(context_.head, "head", ports, {});
  }
}

Bytes StageLowering::boundary_bytes() const {
  const bool shard = context_.scenario.software.scatter_gather_pipeline.value;
  return Bytes(context_.hidden_bytes().value / (shard ? context_.strategy.tensor_parallel : 1));
}

void StageLowering::receive(TemplateAssembler& assembler, bool from_previous, std::int32_t buffer) {
  const SoftwareProfile& software = context_.scenario.software;
  Op op;
  op.kind = OpKind::kReceive;
  op.lane = lane_of(from_previous ? LaneIndex::kReceivePrevious : LaneIndex::kReceiveNext);
  op.phase = from_previous ? Phase::kForward : Phase::kBackward;
  op.axis = Axis::kPipeline;
  op.peer_offset = from_previous ? -1 : 1;
  op.channel = from_previous ? index_ - 1 : context_.num_stages() - 1 + index_;
  op.bytes = boundary_bytes();
  op.buffers = {buffer};
  const auto slots_back = static_cast<std::int32_t>(1 + software.receive_prefetch.value);
  op.predecessors.push_back({Predecessor::Kind::kLastCompute, 0, slots_back});
  assembler.add_communication(std::move(op), {.for_compute = false});
  if (software.scatter_gather_pipeline.value && context_.strategy.tensor_parallel > 1) {
    const Phase phase = from_previous ? Phase::kForward : Phase::kBackward;
    Op gather;
    gather.kind = OpKind::kCollective;
    gather.lane = lane_of(LaneIndex::kTensor);
    gather.phase = phase;
    gather.collective = CollectiveKind::kAllGather;
    gather.axis = Axis::kTensor;
    gather.bytes = context_.hidden_bytes();
    gather.buffers = {buffer};
    gather.predecessors.push_back({Predecessor::Kind::kOp, 0, 0});
    assembler.add_communication(std::move(gather), {.for_compute = false});
  }
}

void StageLowering::send(TemplateAssembler& assembler, bool to_next, std::int32_t buffer) {
  Op op;
  op.kind = OpKind::kSend;
  op.lane = lane_of(to_next ? LaneIndex::kSendNext : LaneIndex::kSendPrevious);
  op.phase = to_next ? Phase::kForward : Phase::kBackward;
  op.axis = Axis::kPipeline;
  op.peer_offset = to_next ? 1 : -1;
  op.channel = to_next ? index_ : context_.num_stages() - 1 + index_ - 1;
  op.bytes = boundary_bytes();
  op.buffers = {buffer};
  assembler.add_communication(std::move(op), {.for_compute = true, .compute_waits = false});
}

void StageLowering::forward() {
  TemplateAssembler assembler(stage_, "forward 0");
  forward_template_ = assembler.template_index();
  if (!first()) {
    receive(assembler, true, stage_input_);
  }
  if (context_.scenario.software.blocking_sends.value) {
    assembler.next_compute_waits_for({Predecessor::Kind::kAllOps, 0, 1});
  }
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    blocks_[i].forward(assembler, places_[i]);
  }
  if (!last()) {
    send(assembler, true, stage_output_);
  }
}

void StageLowering::backward() {
  TemplateAssembler assembler(stage_, "backward 0");
  backward_template_ = assembler.template_index();
  if (!last()) {
    receive(assembler, false, hidden_gradient_);
  }
  if (context_.scenario.software.blocking_sends.value) {
    assembler.next_compute_waits_for({Predecessor::Kind::kAllOps, 0, 1});
  }
  for (std::size_t i = blocks_.size(); i-- > 0;) {
    blocks_[i].backward(assembler, places_[i]);
  }
  if (!first()) {
    send(assembler, false, hidden_gradient_);
  }
}

void StageLowering::order() {
  stage_.order.push_back({zero_template_, 0});
  const PipelinePosition position{index_, context_.num_stages(), context_.num_microbatches};
  for (const Pass& pass : pass_order(context_.strategy.schedule, position)) {
    const bool is_forward = pass.direction == Pass::Direction::kForward;
    stage_.order.push_back({is_forward ? forward_template_ : backward_template_, pass.microbatch});
  }
  for (std::int32_t closing : closing_templates_) {
    stage_.order.push_back({closing, 0});
  }
}

Stage StageLowering::lower() {
  make_blocks();
  zero_gradients();
  forward();
  backward();
  gradient_sync();
  optimizer();
  parameter_gather();
  order();
  return std::move(stage_);
}

}  // namespace portolan
