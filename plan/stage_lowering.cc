#include "plan/stage_lowering.h"

#include <fmt/format.h>

#include <numeric>
#include <optional>

namespace portolan {

std::vector<Block> layer_kinds(const TransformerConfig& model, const BlockOptions& options) {
  std::vector<Block> blocks{layer_block(model, options, LayerKind::kDense)};
  if (model.experts) {
    blocks.push_back(layer_block(model, options, LayerKind::kExperts));
  }
  return blocks;
}

BlockLowering::Place StageLowering::place_of_layer(const Chunk& chunk, std::int32_t i) const {
  const auto begin = context_.layers.begin();
  const std::int32_t layer = std::accumulate(begin, begin + chunk.virtual_stage, i);
  const Recompute& recompute = context_.strategy.recompute;
  return {.layer = layer,
          .recompute = recompute.of_layer(layer),
          .recompute_whole_group = context_.scenario.software.recompute_whole_group.value,
          .ends_group = ends_group(i, num_layers(chunk), recompute.layers_per_group)};
}

std::int32_t StageLowering::hidden_buffer(const std::string& name) {
  return add_buffer(stage_, {.name = name,
                             .kind = BufferKind::kActivation,
                             .bytes = context_.boundary().held,
                             .first = {},
                             .last = {}});
}

std::string StageLowering::chunk_prefix(const Chunk& chunk) const {
  return context_.strategy.virtual_stages == 1 ? "" : fmt::format("chunk {} ", chunk.index);
}

void StageLowering::add_block(Chunk& chunk, const Block& block, std::string prefix, const BlockPorts& ports,
                              const BlockLowering::Place& place) {
  chunk.blocks.emplace_back(stage_, block, std::move(prefix), ports);
  chunk.first_parameter.push_back(parameters_.size());
  chunk.blocks.back().make_parameters(context_.sharding(), parameters_);
  chunk.places.push_back(place);
}

BlockPorts StageLowering::head_ports(std::int32_t input) {
  loss_ = add_buffer(stage_, {.name = "loss",
                              .kind = BufferKind::kWorkspace,
                              .bytes = Bytes(8),
                              .persistent = true,
                              .first = {},
                              .last = {},
                              .init = ParameterInit::kZeros});
  BlockPorts ports{.input = input, .loss = loss_};
  if (first() && context_.scenario.model.tied_embeddings) {
    for (const StageParameter& parameter : parameters_) {
      if (parameter.tied) {
        ports.tied_weight = parameter.value;
        ports.tied_gradient = parameter.gradient;
        ports.tied_narrow_gradient = parameter.narrow_gradient;
      }
    }
  }
  return ports;
}

void StageLowering::make_blocks(Chunk& chunk) {
  // Blocks pass one gradient of hidden states along, or each its own where weight gradients are put off.
  const bool own_gradients = context_.options.split_backward;
  std::int32_t gradient = hidden_buffer(chunk_prefix(chunk) + "hidden_gradient");
  chunk.input_gradient = gradient;
  std::int32_t hidden = Buffer::kNone;
  if (has_embedding(chunk)) {
    hidden = hidden_buffer("embedding output");
    add_block(chunk, context_.embedding, "embedding", {.output = hidden, .hidden_gradient = gradient}, {});
  } else {
    hidden = chunk.input = hidden_buffer(chunk_prefix(chunk) + "stage input");
  }
  for (std::int32_t i = 0; i < num_layers(chunk); ++i) {
    const BlockLowering::Place place = place_of_layer(chunk, i);
    BlockPorts ports{.input = hidden, .input_gradient = gradient};
    ports.output = hidden = hidden_buffer(fmt::format("layer {} output", place.layer));
    if (own_gradients) {
      gradient = hidden_buffer(fmt::format("layer {} output_gradient", place.layer));
    }
    ports.hidden_gradient = gradient;
    const auto kind = static_cast<std::size_t>(context_.kinds[static_cast<std::size_t>(place.layer)]);
    add_block(chunk, context_.layer_kinds[kind], fmt::format("layer {}", place.layer), ports, place);
  }
  if (has_head(chunk)) {
    BlockPorts ports = head_ports(hidden);
    ports.hidden_gradient = gradient;
    add_block(chunk, context_.head, "head", ports, {});
  }
  chunk.output = hidden;
  chunk.output_gradient = gradient;
}

Op StageLowering::boundary_op(const Chunk& chunk, Direction direction, OpKind kind,
                              std::int32_t buffer) const {
  const bool forward = direction == Direction::kForward;
  const bool to_next = (kind == OpKind::kSend) == forward;
  const std::int32_t virtual_stages = context_.num_virtual_stages();
  // Boundary b lies between virtual stages b and b + 1; each direction of each has a channel.
  const std::int32_t boundary = to_next ? chunk.virtual_stage : chunk.virtual_stage - 1;
  const std::int32_t peer = (chunk.virtual_stage + (to_next ? 1 : -1)) % context_.num_stages();
  const LaneIndex lane = kind == OpKind::kSend
                             ? (forward ? LaneIndex::kSendNext : LaneIndex::kSendPrevious)
                             : (forward ? LaneIndex::kReceivePrevious : LaneIndex::kReceiveNext);
  Op op;
  op.kind = kind;
  op.lane = lane_of(lane);
  op.phase = forward ? Phase::kForward : Phase::kBackward;
  op.axes = {Axis::kPipeline};
  op.peer_offset = peer - index_;
  op.channel = forward ? boundary : virtual_stages - 1 + boundary;
  op.bytes = context_.boundary().sent;
  op.buffers = {buffer};
  return op;
}

void StageLowering::receive(TemplateAssembler& assembler, const Chunk& chunk, Direction direction,
                            std::int32_t buffer) {
  Op op = boundary_op(chunk, direction, OpKind::kReceive, buffer);
  const Phase phase = op.phase;
  const auto slots_back = static_cast<std::int32_t>(1 + context_.scenario.software.receive_prefetch.value);
  op.predecessors.push_back({Predecessor::Kind::kLastCompute, 0, slots_back});
  assembler.add_communication(std::move(op), {.for_compute = false});
  if (context_.scatters_sends()) {
    Op gather;
    gather.kind = OpKind::kCollective;
    gather.lane = lane_of(LaneIndex::kTensor);
    gather.phase = phase;
    gather.collective = CollectiveKind::kAllGather;
    gather.axes = {Axis::kTensor};
    gather.bytes = context_.boundary().held;
    gather.buffers = {buffer};
    gather.predecessors.push_back({Predecessor::Kind::kOp, 0, 0});
    assembler.add_communication(std::move(gather), {.for_compute = false});
  }
}

void StageLowering::send(TemplateAssembler& assembler, const Chunk& chunk, Direction direction,
                         std::int32_t buffer) {
  assembler.add_communication(boundary_op(chunk, direction, OpKind::kSend, buffer),
                              {.for_compute = true, .compute_waits = ComputeWaits::kNever});
}

void StageLowering::wait_for_sends(TemplateAssembler& assembler) const {
  // Sends of the pass before, or, where they do not block, of the one before that, whose buffers are needed
  // again. With several chunks a forward and the backward after it send and receive together: one by one they
  // would wait for each other in a circle, since the last stage also sends to the first. Weight gradients may
  // come between a pass and the next: they send nothing and wait for nothing.
  const std::int32_t blocking = context_.scenario.software.blocking_sends.value ? 1 : 2;
  const std::int32_t nearest = blocking + (context_.strategy.virtual_stages > 1 ? 1 : 0);
  for (std::int32_t back = nearest; back <= nearest + (context_.options.split_backward ? 1 : 0); ++back) {
    assembler.next_compute_waits_for({Predecessor::Kind::kAllOps, 0, back});
  }
}

Op StageLowering::zero_op(Phase phase, LaneIndex lane, bool expert) const {
  Op op;
  op.kind = OpKind::kCollective;
  op.lane = lane_of(lane);
  op.phase = phase;
  op.axes = expert ? kExpertDataAxes : kDataAxes;
  if (phase == Phase::kGradientSync) {
    op.algorithm = context_.strategy.gradient_aggregation.algorithm;
  }
  if (!expert && zero_sharers(context_.strategy) < num_data_ranks(context_.strategy)) {
    op.group = GroupKind::kBlock;
    op.group_size = zero_sharers(context_.strategy);
  }
  return op;
}

BlockLowering::SharersOp StageLowering::sharers_op(Phase phase, LaneIndex lane) const {
  return [this, phase, lane](bool expert) { return zero_op(phase, lane, expert); };
}

void StageLowering::forward(Chunk& chunk) {
  TemplateAssembler assembler(stage_, fmt::format("forward {}", chunk.index), chunk.index);
  chunk.forward_template = assembler.template_index();
  if (!has_embedding(chunk)) {
    receive(assembler, chunk, Direction::kForward, chunk.input);
  }
  wait_for_sends(assembler);
  if (gathers_beside_forward(context_.scenario, context_.strategy)) {
    gather_buckets(assembler, chunk);
  }
  const auto prefetch = static_cast<std::size_t>(context_.scenario.software.gather_prefetch.value);
  std::size_t gathered = 0;
  std::vector<std::int32_t> copies;
  for (std::size_t i = 0; i < chunk.blocks.size(); ++i) {
    for (; context_.sharding().parameters && gathered <= i + prefetch && gathered < chunk.blocks.size();
         ++gathered) {
      chunk.blocks[gathered].gather_for_forward(assembler,
                                                sharers_op(Phase::kParameterGather, LaneIndex::kDataGather));
    }
    wait_for_copies(assembler, chunk, i, copies);
    chunk.blocks[i].forward(assembler, chunk.places[i]);
    copy_to_host(assembler, chunk, i, copies);
  }
  if (!has_head(chunk)) {
    send(assembler, chunk, Direction::kForward, chunk.output);
  }
}

void StageLowering::backward_step(TemplateAssembler& assembler, Chunk& chunk, const BackwardStep& step) {
  BlockLowering& block = chunk.blocks[step.block];
  const BlockLowering::Place& place = chunk.places[step.block];
  if (step.recompute) {
    block.recompute(assembler, place);
    if (!place.ends_group) {
      block.hand_output_to(chunk.blocks[step.block + 1]);
    }
  }
  if (step.backward) {
    block.backward(assembler, place,
                   context_.options.split_backward ? Phase::kBackwardInput : Phase::kBackward);
  }
}

std::size_t StageLowering::backward_blocks(TemplateAssembler& assembler, Chunk& chunk) {
  const Sharding sharding = context_.sharding();
  const auto prefetch = static_cast<std::size_t>(context_.scenario.software.gather_prefetch.value);
  const bool gathers = sharding.parameters && context_.scenario.software.reshard_after_forward.value;
  std::vector<bool> ends;
  for (std::size_t i = 0; i < chunk.blocks.size(); ++i) {
    chunk.blocks[i].begin_backward();
    ends.push_back(chunk.places[i].ends_group);
  }
  const std::vector<BackwardStep> steps = backward_steps(ends);
  std::size_t gathered = 0;
  std::size_t fetched = 0;  // one block ahead
  std::vector<std::int32_t> copies;
  // Blocks from here on have their gradients in buckets that are being summed.
  std::size_t unsummed = chunk.blocks.size();
  std::optional<std::size_t> reduced;  // beside the step after its block's backward
  for (std::size_t at = 0; at < steps.size(); ++at) {
    for (; gathers && gathered <= at + prefetch && gathered < steps.size(); ++gathered) {
      const BackwardStep& ahead = steps[gathered];
      if (!ahead.recompute && ahead.recomputed >= at) {
        break;  // the parameters are there, or will be, for its recomputation
      }
      BlockLowering& block = chunk.blocks[ahead.block];
      const auto sharers = sharers_op(Phase::kParameterGather, LaneIndex::kDataGather);
      if (!block.backward_reads_parameters()) {
        continue;
      }
      if (ahead.backward) {
        block.gather_for_backward(assembler, sharers);
      } else {
        block.gather_for_recompute(assembler, sharers);
      }
    }
    // Offload goes without groups: each step is a block's backward.
    for (; fetched <= at + 1 && fetched < chunk.blocks.size(); ++fetched) {
      copy_from_host(assembler, chunk, chunk.blocks.size() - 1 - fetched);
    }
    const BackwardStep& step = steps[at];
    wait_for_copies(assembler, chunk, step.block, copies);
    backward_step(assembler, chunk, step);
    if (sharding.gradients) {
      if (step.backward) {
        chunk.blocks[step.block].reduce(assembler, sharers_op(Phase::kGradientSync, LaneIndex::kData));
      }
      if (reduced) {
        chunk.blocks[*reduced].accumulate(assembler, chunk.places[*reduced]);
        sum_full_bucket(assembler, chunk, *reduced, unsummed);
      }
      reduced = step.backward ? std::optional(step.block) : std::nullopt;
    }
    if (step.backward && !context_.options.split_backward && !sharding.gradients) {
      sum_full_bucket(assembler, chunk, step.block, unsummed);
    }
  }
  return unsummed;
}

void StageLowering::backward(Chunk& chunk) {
  const bool split = context_.options.split_backward;
  {
    TemplateAssembler assembler(
        stage_, fmt::format("{} {}", split ? "backward_input" : "backward", chunk.index), chunk.index);
    chunk.backward_template = assembler.template_index();
    if (!has_head(chunk)) {
      receive(assembler, chunk, Direction::kBackward, chunk.output_gradient);
    }
    wait_for_sends(assembler);
    std::size_t unsummed = backward_blocks(assembler, chunk);
    if (!has_embedding(chunk)) {
      send(assembler, chunk, Direction::kBackward, chunk.input_gradient);
    }
    if (context_.sharding().gradients) {
      chunk.blocks.front().accumulate(assembler, chunk.places.front());
      sum_full_bucket(assembler, chunk, 0, unsummed);
    }
  }
  if (split) {
    TemplateAssembler assembler(stage_, fmt::format("backward_weight {}", chunk.index), chunk.index);
    chunk.weight_gradient_template = assembler.template_index();
    std::size_t unsummed = chunk.blocks.size();
    for (std::size_t i = chunk.blocks.size(); i-- > 0;) {
      chunk.blocks[i].backward(assembler, chunk.places[i], Phase::kBackwardWeight);
      sum_full_bucket(assembler, chunk, i, unsummed);
    }
  }
}

void StageLowering::order() {
  stage_.order.push_back({zero_template_, 0});
  for (const Pass& pass : pass_order(context_.strategy.schedule, position())) {
    const Chunk& chunk = chunks_[static_cast<std::size_t>(pass.chunk)];
    const std::int32_t of_phase = pass.phase == Phase::kForward          ? chunk.forward_template
                                  : pass.phase == Phase::kBackwardWeight ? chunk.weight_gradient_template
                                                                         : chunk.backward_template;
    stage_.order.push_back({of_phase, pass.microbatch});
  }
  for (const std::int32_t closing : closing_templates_) {
    stage_.order.push_back({closing, 0});
  }
}

Stage StageLowering::lower() {
  for (std::int32_t c = 0; c < context_.strategy.virtual_stages; ++c) {
    chunks_.push_back({.index = c, .virtual_stage = c * context_.num_stages() + index_});
  }
  for (Chunk& chunk : chunks_) {
    make_blocks(chunk);
    chunk.keeps_last_layer = offloads_activations(context_.strategy.offload) &&
                             backward_follows_at_once(context_.strategy.schedule, position(), chunk.index);
    chunk.first_parameter.push_back(parameters_.size());
  }
  zero_gradients();
  for (Chunk& chunk : chunks_) {
    forward(chunk);
    backward(chunk);
  }
  gradient_sync();
  optimizer();
  parameter_gather();
  order();
  return std::move(stage_);
}

}  // namespace portolan
