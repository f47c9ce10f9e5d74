#include "plan/closed_form.h"

#include <algorithm>

#include "plan/communication_flows.h"
#include "plan/legality.h"
#include "plan/pipeline_time.h"

namespace portolan {

namespace {

StagePlace place_of(std::int32_t stage, std::int32_t num_stages) {
  if (num_stages == 1) {
    return StagePlace::kOnly;
  }
  return stage == 0 ? StagePlace::kFirst : stage == num_stages - 1 ? StagePlace::kLast : StagePlace::kMiddle;
}

Seconds sum(const std::vector<Seconds>& times) {
  Seconds total;
  for (Seconds time : times) {
    total += time;
  }
  return total;
}

/// Distance in ranks of neighbours in a tensor-parallel group: decides which links it uses.
std::int32_t tensor_stride(const Strategy& s) {
  std::int32_t stride = 1;
  for (std::size_t i = 0; s.axis_order[i] != Axis::kTensor; ++i) {
    stride *= s.axis_order[i] == Axis::kData       ? s.data_parallel
              : s.axis_order[i] == Axis::kPipeline ? s.pipeline_parallel
                                                   : 1;
  }
  return stride;
}

/// Flows of all groups together, so that rails and replicas that share links slow each other.
FlowSet together(const std::vector<FlowSet>& sets) {
  FlowSet all;
  for (const FlowSet& set : sets) {
    all.flows.insert(all.flows.end(), set.flows.begin(), set.flows.end());
    all.latency = std::max(all.latency, set.latency);
  }
  return all;
}

}  // namespace

/// Times of the parts of a step.
struct ClosedForm::Pipeline {
  std::vector<BlockTime> stages;
  Seconds step_time;
  Seconds sends;      ///< on the critical path
  Seconds data;       ///< exposed synchronisation and gathers
  Seconds optimizer;  ///< with zeroing
};

ClosedForm::ClosedForm(const Scenario& scenario, const Cluster& cluster)
    : scenario_(scenario), cluster_(cluster) {}

const BlockCosts& ClosedForm::blocks(const Strategy& s, const RecomputeSet& recompute) {
  const BlockKey key{s.tensor_parallel, s.microbatch_size, recompute.to_ulong(), s.precision,
                     tensor_stride(s)};
  const auto found = blocks_.find(key);
  if (found != blocks_.end()) {
    return found->second;
  }
  const auto [cost, inserted] = kernel_costs_.try_emplace(s.precision, scenario_.hardware, s.precision);
  Strategy alike = s;
  alike.recompute = {.all_layers = recompute, .per_layer = {}};
  return blocks_.emplace(key, block_costs(scenario_, alike, cluster_, cost->second)).first->second;
}

BlockTime ClosedForm::layers_time(const Strategy& s, const BlockCosts& first_layer,
                                  const LayerRange& layers) {
  if (s.recompute.per_layer.empty()) {
    return first_layer.layer * static_cast<double>(layers.count);
  }
  BlockTime time;
  for (std::int32_t i = 0; i < layers.count; ++i) {
    time = time + blocks(s, s.recompute.of_layer(layers.first + i)).layer;
  }
  return time;
}

ClosedForm::LayersMemory ClosedForm::layers_memory(const Strategy& s, const BlockCosts& first_layer,
                                                   StagePlace place, const LayerRange& layers) {
  if (s.recompute.per_layer.empty()) {
    const StageShape& shape = first_layer.stages[static_cast<std::size_t>(place)];
    const Bytes further = first_layer.layer_shape.saved * (layers.count - 1);
    return {shape.saved + further, shape.peak + further};
  }
  LayersMemory memory;
  Bytes below;  // saved by the layers below, while a layer runs backward; those above are done with
  for (std::int32_t i = 0; i < layers.count; ++i) {
    const BlockCosts& costs = blocks(s, s.recompute.of_layer(layers.first + i));
    const bool at_end = i == 0 || i + 1 == layers.count;
    const StageShape& shape = costs.stages[static_cast<std::size_t>(at_end ? place : StagePlace::kMiddle)];
    memory.peak = std::max(memory.peak, below + shape.peak);
    memory.saved += i == 0 ? shape.saved : costs.layer_shape.saved;
    below += costs.layer_shape.saved;
  }
  return memory;
}

const ClosedForm::MachineCosts& ClosedForm::machine(const Strategy& s, const BlockCosts& costs) {
  const ShapeKey key{s.tensor_parallel, s.pipeline_parallel, s.data_parallel, s.microbatch_size,
                     s.axis_order};
  const auto found = machines_.find(key);
  if (found != machines_.end()) {
    return found->second;
  }
  Program shape;
  shape.degrees = {s.tensor_parallel, 1, 1, s.data_parallel, s.pipeline_parallel};
  shape.axis_order = s.axis_order;
  GraphBuilder unused;
  const CommunicationFlows flows(shape, cluster_, unused);
  MachineCosts made;
  const Bytes hidden(costs.options.microbatch_size * costs.options.sequence_length *
                     scenario_.model.hidden_size * costs.options.compute_bytes);
  const bool scatter = scenario_.software.scatter_gather_pipeline.value && s.tensor_parallel > 1;
  Op send;
  send.kind = OpKind::kSend;
  send.axis = Axis::kPipeline;
  send.peer_offset = 1;
  send.bytes = scatter ? Bytes(hidden.value / s.tensor_parallel) : hidden;
  for (std::int32_t stage = 0; stage + 1 < s.pipeline_parallel; ++stage) {
    made.sends.push_back(uncontended_time(cluster_, together(flows.all_groups(send, stage))));
  }
  const auto price = [&](Axis axis, GroupKind group) {
    constexpr std::int64_t kUnit = 1 << 30;
    Op op;
    op.kind = OpKind::kCollective;
    op.axis = axis;
    op.group = group;
    op.collective = group == GroupKind::kAxis ? CollectiveKind::kReduceScatter : CollectiveKind::kAllReduce;
    op.bytes = Bytes(kUnit);
    const FlowSet set = together(flows.all_groups(op, 0));
    return AxisCost{(uncontended_time(cluster_, set) - set.latency).value / static_cast<double>(kUnit),
                    set.latency};
  };
  made.data = price(Axis::kData, GroupKind::kAxis);
  made.ends = price(Axis::kPipeline, GroupKind::kFirstAndLastStage);
  if (scatter) {
    Op gather;
    gather.kind = OpKind::kCollective;
    gather.axis = Axis::kTensor;
    gather.collective = CollectiveKind::kAllGather;
    gather.bytes = hidden;
    made.gather = uncontended_time(cluster_, flows.group_of(gather, {}));
  }
  return machines_.emplace(key, std::move(made)).first->second;
}

Seconds ClosedForm::data_collective(const MachineCosts& machine, const Strategy& s, CollectiveKind kind,
                                    Bytes bytes) const {
  if (s.data_parallel == 1) {
    return {};
  }
  if (!scenario_.hardware.collective_points.empty()) {
    std::vector<DeviceIndex> members;
    for (std::int32_t d = 0; d < s.data_parallel; ++d) {
      members.push_back(d);
    }
    return uncontended_time(cluster_, ring_collective(cluster_, kind, std::move(members), bytes));
  }
  const double rounds = kind == CollectiveKind::kAllReduce ? 2 : 1;
  return (Seconds(machine.data.seconds_per_byte * static_cast<double>(bytes.value)) + machine.data.latency) *
         rounds;
}

ClosedForm::Pipeline ClosedForm::pipeline(const Strategy& s) {
  const BlockCosts& costs = blocks(s, s.recompute.of_layer(0));
  const MachineCosts& machine_costs = machine(s, costs);
  const std::vector<std::int32_t> layers = layers_of_stages(scenario_, s);
  const auto p = static_cast<std::size_t>(s.pipeline_parallel);
  const double m = num_microbatches(scenario_, s);
  const std::vector<Seconds>& c = machine_costs.sends;
  Pipeline result;
  std::vector<StagePass> passes_of_stages;
  std::int32_t first_layer = 0;
  for (std::size_t i = 0; i < p; ++i) {
    BlockTime time = layers_time(s, costs, {first_layer, layers[i]});
    first_layer += layers[i];
    if (i == 0) {
      time = time + costs.embedding;
    } else {
      time.tensor_forward += machine_costs.gather;
    }
    if (i + 1 == p) {
      time = time + costs.head;
    } else {
      time.tensor_backward += machine_costs.gather;
    }
    passes_of_stages.push_back({time.whole_forward(), time.whole_backward(), i + 1 < p ? c[i] : Seconds(0)});
    result.stages.push_back(time);
  }
  const Seconds passes =
      pipeline_time(passes_of_stages, {.schedule = s.schedule,
                                       .num_microbatches = num_microbatches(scenario_, s),
                                       .blocking_sends = scenario_.software.blocking_sends.value});
  result.sends = sum(c) * 2.0 + ((p > 1 ? c[0] : Seconds(0)) * (m - 1));

  // A stage synchronises when its own backwards are done: stage i that much before stage 0.
  const KernelCost& kernel_cost = kernel_costs_.at(s.precision);
  const std::int64_t shards = s.zero_stage >= 1 ? s.data_parallel : 1;
  Seconds drained = passes;
  for (std::size_t i = 0; i < p; ++i) {
    const StageShape& shape =
        costs.stages[static_cast<std::size_t>(place_of(static_cast<std::int32_t>(i), s.pipeline_parallel))];
    const std::int64_t parameters = shape.parameters + (layers[i] - 1) * costs.layer_shape.parameters;
    const std::int64_t tensors = shape.num_tensors + (layers[i] - 1) * costs.layer_shape.num_tensors;
    const Bytes gradients(parameters * costs.options.gradient_bytes);
    const Seconds sync = data_collective(
        machine_costs, s, s.zero_stage == 0 ? CollectiveKind::kAllReduce : CollectiveKind::kReduceScatter,
        gradients);
    const Seconds gather = s.zero_stage == 0
                               ? Seconds(0)
                               : data_collective(machine_costs, s, CollectiveKind::kAllGather,
                                                 Bytes(parameters * costs.options.compute_bytes));
    // One kernel's time for the mean tensor, as often as there are tensors.
    const auto per_tensor = [&](KernelKind kind, std::int64_t elements, std::int64_t bytes) {
      const auto of_one = [&](std::int64_t size) {
        return kernel_cost.time({.kind = kind,
                                 .shape = {.rows = elements / tensors},
                                 .flops = {},
                                 .bytes = Bytes(size),
                                 .operands = {}});
      };
      const std::int64_t larger = bytes % tensors;
      return of_one(bytes / tensors) * static_cast<double>(tensors - larger) +
             of_one(bytes / tensors + 1) * static_cast<double>(larger);
    };
    const std::int64_t state = scenario_.software.optimizer_bytes_per_parameter.value;
    const std::int64_t update_bytes =
        parameters / shards * (2 * costs.options.compute_bytes + costs.options.gradient_bytes + 2 * state);
    const Seconds update = per_tensor(KernelKind::kAdamW, parameters / shards, update_bytes);
    Seconds zeroing = per_tensor(KernelKind::kFillZero, gradients.value, gradients.value);
    if (i + 1 == p) {
      zeroing += kernel_cost.time({.kind = KernelKind::kFillZero,
                                   .shape = {.rows = 8},
                                   .flops = {},
                                   .bytes = Bytes(8),
                                   .operands = {}});  // the loss
    }
    Seconds extra;
    const bool end_stage = p > 1 && scenario_.model.tied_embeddings && (i == 0 || i + 1 == p);
    if (end_stage) {
      const std::int64_t rows = padded_vocab(scenario_.model, costs.options) / s.tensor_parallel;
      const double bytes =
          static_cast<double>(rows * scenario_.model.hidden_size * costs.options.gradient_bytes);
      extra = Seconds(machine_costs.ends.seconds_per_byte * bytes) + machine_costs.ends.latency;
    }
    const Seconds end = zeroing + drained + sync + extra + update + gather;
    if (end > result.step_time) {
      result.step_time = end;
      result.data = sync + extra + gather;
      result.optimizer = update + zeroing;
    }
    drained = drained - result.stages[i].whole_backward() - (i + 1 < p ? c[i] : Seconds(0));
  }
  return result;
}

std::vector<StageMemory> ClosedForm::stage_memory(const Strategy& s) {
  const BlockCosts& costs = blocks(s, s.recompute.of_layer(0));
  const std::int64_t shards = s.zero_stage >= 1 ? s.data_parallel : 1;
  const std::int32_t m = num_microbatches(scenario_, s);
  std::vector<StageMemory> stages;
  std::int32_t first_layer = 0;
  for (const std::int32_t layers : layers_of_stages(scenario_, s)) {
    const auto stage = static_cast<std::int32_t>(stages.size());
    const StagePlace place = place_of(stage, s.pipeline_parallel);
    const StageShape& shape = costs.stages[static_cast<std::size_t>(place)];
    const std::int64_t parameters = shape.parameters + (layers - 1) * costs.layer_shape.parameters;
    const std::int64_t in_flight =
        s.schedule == ScheduleKind::kGPipe ? m : std::min(s.pipeline_parallel - stage, m);
    const LayersMemory layers_bytes = layers_memory(s, costs, place, {first_layer, layers});
    StageMemory memory;
    memory.parameters = Bytes(parameters * costs.options.compute_bytes);
    memory.gradients = Bytes(parameters * costs.options.gradient_bytes);
    memory.optimizer_states =
        Bytes((parameters + shards - 1) / shards * scenario_.software.optimizer_bytes_per_parameter.value);
    memory.activations = layers_bytes.saved * (in_flight - 1) + layers_bytes.peak;
    memory.allocated = memory.parameters + memory.gradients + memory.optimizer_states + memory.activations;
    memory.reserved = memory.allocated + scenario_.software.framework_memory.value;
    stages.push_back(memory);
    first_layer += layers;
  }
  return stages;
}

ClosedForm::Outcome ClosedForm::outcome(const Strategy& strategy) {
  Outcome outcome;
  outcome.step_time = pipeline(strategy).step_time;
  const std::vector<StageMemory> stages = stage_memory(strategy);
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    if (stages[stage].reserved > outcome.peak_memory) {
      outcome.peak_memory = stages[stage].reserved;
      outcome.fullest_stage = static_cast<std::int32_t>(stage);
    }
  }
  return outcome;
}

Estimate ClosedForm::evaluate(const Strategy& strategy) {
  const Pipeline parts = pipeline(strategy);
  const double m = num_microbatches(scenario_, strategy);
  Estimate estimate;
  estimate.strategy = strategy;
  estimate.step_time = parts.step_time;
  const BlockTime& first = parts.stages.front();
  Breakdown& b = estimate.breakdown;
  b.compute = (first.forward + first.backward) * m;
  b.recompute = first.recompute * m;
  b.exposed_tensor = (first.tensor_forward + first.tensor_backward) * m;
  b.exposed_data = parts.data;
  b.optimizer = parts.optimizer;
  const Seconds rest = parts.step_time - b.total();
  b.exposed_pipeline = std::min(parts.sends, rest);
  b.bubble = rest - b.exposed_pipeline;
  estimate.stage_memory = stage_memory(strategy);
  complete_estimate(estimate, scenario_);
  return estimate;
}

}  // namespace portolan
