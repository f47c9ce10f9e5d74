#include "plan/lower.h"

#include <fmt/format.h>

#include <cassert>

#include "plan/block_lowering.h"
#include "plan/legality.h"
#include "plan/schedule.h"
#include "plan/template_assembler.h"

namespace portolan {

namespace {

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

std::int32_t lane(LaneIndex index) { return static_cast<std::int32_t>(index); }

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

void StageLowering::zero_gradients() {
  TemplateAssembler assembler(stage_, "zero_gradients");
  zero_template_ = assembler.template_index();
  const auto zero = [&](std::int32_t buffer) {
    const Bytes bytes = stage_.buffers[static_cast<std::size_t>(buffer)].bytes;
    assembler.add_kernel({Phase::kOptimizer, Op::kNoLayer}, {.kind = KernelKind::kFillZero,
                                                             .shape = {.rows = bytes.value},
                                                             .flops = {},
                                                             .bytes = bytes,
                                                             .operands = {{buffer, Access::kWrite}}});
  };
  for (const StageParameter& parameter : parameters_) {
    zero(parameter.gradient);
  }
  if (last()) {
    zero(loss_);
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
  op.lane = lane(from_previous ? LaneIndex::kReceivePrevious : LaneIndex::kReceiveNext);
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
    gather.lane = lane(LaneIndex::kTensor);
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
  op.lane = lane(to_next ? LaneIndex::kSendNext : LaneIndex::kSendPrevious);
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

void StageLowering::gradient_sync() {
  const bool data = context_.strategy.data_parallel > 1;
  const bool tied =
      context_.scenario.model.tied_embeddings && context_.num_stages() > 1 && (first() || last());
  if (!data && !tied) {
    return;
  }
  TemplateAssembler assembler(stage_, "gradient_sync");
  closing_templates_.push_back(assembler.template_index());
  Op op;
  op.kind = OpKind::kCollective;
  op.phase = Phase::kGradientSync;
  op.predecessors.push_back({Predecessor::Kind::kLastCompute, 0, 1});
  if (data) {
    Op sync = op;
    sync.lane = lane(LaneIndex::kData);
    sync.axis = Axis::kData;
    sync.collective =
        context_.strategy.zero_stage == 0 ? CollectiveKind::kAllReduce : CollectiveKind::kReduceScatter;
    for (const StageParameter& parameter : parameters_) {
      sync.buffers.push_back(parameter.gradient);
      sync.bytes += stage_.buffers[static_cast<std::size_t>(parameter.gradient)].bytes;
    }
    assembler.add_communication(std::move(sync), {.for_compute = false, .compute_waits = false});
  }
  if (tied) {
    Op sync = op;
    sync.lane = lane(LaneIndex::kEndStages);
    sync.group = GroupKind::kFirstAndLastStage;
    sync.axis = Axis::kPipeline;
    for (const StageParameter& parameter : parameters_) {
      if (parameter.tied) {
        sync.buffers.push_back(parameter.gradient);
        sync.bytes += stage_.buffers[static_cast<std::size_t>(parameter.gradient)].bytes;
      }
    }
    if (data) {
      sync.predecessors.push_back({Predecessor::Kind::kOp, 0, 0});
    }
    assembler.add_communication(std::move(sync), {.for_compute = false, .compute_waits = false});
  }
}

void StageLowering::optimizer() {
  TemplateAssembler assembler(stage_, "optimizer");
  const std::int64_t state_bytes = context_.scenario.software.optimizer_bytes_per_parameter.value;
  const std::int64_t shards = context_.strategy.zero_stage >= 1 ? context_.strategy.data_parallel : 1;
  assembler.next_compute_waits_for({Predecessor::Kind::kAllOps, 0, 1});
  for (const StageParameter& parameter : parameters_) {
    const Buffer value = stage_.buffers[static_cast<std::size_t>(parameter.value)];
    const Bytes gradient = stage_.buffers[static_cast<std::size_t>(parameter.gradient)].bytes;
    const std::int64_t elements = (parameter.elements + shards - 1) / shards;
    Kernel update{.kind = KernelKind::kAdamW,
                  .shape = {.rows = elements},
                  .flops = Flops(14.0 * static_cast<double>(elements)),
                  .bytes = {},
                  .operands = {{parameter.value, Access::kUpdate}, {parameter.gradient, Access::kRead}}};
    const auto add_state = [&](const char* name, std::int64_t bytes) {
      const std::int32_t state = add_buffer(stage_, {.name = value.name + name,
                                                     .kind = BufferKind::kOptimizerState,
                                                     .bytes = Bytes(elements * bytes),
                                                     .persistent = true,
                                                     .first = {},
                                                     .last = {},
                                                     .init = ParameterInit::kZeros,
                                                     .partner = parameter.value});
      update.operands.push_back({state, Access::kUpdate});
    };
    add_state(".moment1", 4);
    add_state(".moment2", 4);
    if (state_bytes > 8) {
      add_state(".master", state_bytes - 8);
    }
    // Each shard reads its gradients and rewrites states and parameters.
    update.bytes = Bytes((2 * value.bytes.value + gradient.value) / shards + 2 * elements * state_bytes);
    assembler.add_kernel({Phase::kOptimizer, Op::kNoLayer}, std::move(update));
  }
  closing_templates_.push_back(assembler.template_index());
}

void StageLowering::parameter_gather() {
  if (context_.strategy.zero_stage == 0 || context_.strategy.data_parallel == 1) {
    return;
  }
  TemplateAssembler assembler(stage_, "parameter_gather");
  closing_templates_.push_back(assembler.template_index());
  Op op;
  op.kind = OpKind::kCollective;
  op.lane = lane(LaneIndex::kData);
  op.phase = Phase::kParameterGather;
  op.collective = CollectiveKind::kAllGather;
  op.axis = Axis::kData;
  for (const StageParameter& parameter : parameters_) {
    op.buffers.push_back(parameter.value);
    op.bytes += stage_.buffers[static_cast<std::size_t>(parameter.value)].bytes;
  }
  op.predecessors.push_back({Predecessor::Kind::kLastCompute, 0, 1});
  assembler.add_communication(std::move(op), {.for_compute = false, .compute_waits = false});
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

std::vector<Lane> make_lanes() {
  using Kind = Lane::Kind;
  return {{Kind::kCompute, "compute"},
          {Kind::kCommunication, "tensor"},
          {Kind::kCommunication, "pipeline receive previous"},
          {Kind::kCommunication, "pipeline send next"},
          {Kind::kCommunication, "pipeline receive next"},
          {Kind::kCommunication, "pipeline send previous"},
          {Kind::kCommunication, "data"},
          {Kind::kCommunication, "end stages"}};
}

}  // namespace

Program lower(const Scenario& scenario, const Strategy& strategy) {
  assert(!find_rejection(scenario, strategy));
  const BlockOptions options = block_options(scenario, strategy);
  const double loss_scale =
      1.0 / (static_cast<double>(scenario.global_batch) * static_cast<double>(scenario.sequence_length));
  const LoweringContext context{.scenario = scenario,
                                .strategy = strategy,
                                .options = options,
                                .embedding = embedding_block(scenario.model, options),
                                .layer = layer_block(scenario.model, options),
                                .head = head_block(scenario.model, options, loss_scale),
                                .layers = layers_of_stages(scenario, strategy),
                                .num_microbatches = num_microbatches(scenario, strategy)};
  Program program;
  program.degrees[static_cast<std::size_t>(Axis::kTensor)] = strategy.tensor_parallel;
  program.degrees[static_cast<std::size_t>(Axis::kData)] = strategy.data_parallel;
  program.degrees[static_cast<std::size_t>(Axis::kPipeline)] = strategy.pipeline_parallel;
  program.axis_order = strategy.axis_order;
  program.num_microbatches = context.num_microbatches;
  program.microbatch_size = strategy.microbatch_size;
  program.sequence_length = scenario.sequence_length;
  program.lanes = make_lanes();
  for (std::int32_t s = 0; s < strategy.pipeline_parallel; ++s) {
    program.stages.push_back(StageLowering(context, s).lower());
  }
  return program;
}

}  // namespace portolan
