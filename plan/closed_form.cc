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
    stride *= s.axis_order[i] == Axis::kData ? s.data_parallel : s.axis_order[i] == Axis::kPipeline ? s.pipeline_parallel : 1;
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
  Seconds sends;         ///< on the critical path
  Seconds data;          ///< exposed synchronisation and gathers
  Seconds optimizer;     ///< with zeroing
};

ClosedForm::ClosedForm(const Scenario& scenario, const Cluster& cluster)
    : scenario_(scenario), cluster_(cluster), model_flops_(model_flops_per_sequence(scenario.model, scenario.sequence_length)) {}

const BlockCosts& ClosedForm::blocks(const Strategy& s) {
  const BlockKey key{s.tensor_parallel, s.microbatch_size, s.recompute.all_layers.to_ulong(), s.precision, tensor_stride(s)};
  const auto found = blocks_.find(key);
  if (found != blocks_.end()) {
    return found->second;
  }
  const auto [cost, inserted] = kernel_costs_.try_emplace(s.precision, scenario_.hardware, s.precision);
  return blocks_.emplace(key, block_costs(scenario_, s, cluster_, cost->second)).first->second;
}

const ClosedForm::MachineCosts& ClosedForm::machine(const Strategy& s, const BlockCosts& costs) {
  const ShapeKey key{s.tensor_parallel, s.pipeline_parallel, s.data_parallel, s.microbatch_size, s.axis_order};
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
  const Bytes hidden(costs.options.microbatch_size * costs.options.sequence_length * scenario_.model.hidden_size * costs.options.compute_bytes);
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
    return AxisCost{(uncontended_time(cluster_, set) - set.latency).value / static_cast<double>(kUnit), set.latency};
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

Seconds ClosedForm::data_collective(const MachineCosts& machine, const Strategy& s, CollectiveKind kind, Bytes bytes) const {
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
  return (Seconds(machine.data.seconds_per_byte * static_cast<double>(bytes.value)) + machine.data.latency) * rounds;
}

ClosedForm::Pipeline ClosedForm::pipeline(const Strategy& s) {
  const BlockCosts& costs = blocks(s);
  const MachineCosts& machine_costs = machine(s, costs);
  const std::vector<std::int32_t> layers = layers_of_stages(scenario_, s);
  const auto p = static_cast<std::size_t>(s.pipeline_parallel);
  const double m = num_microbatches(scenario_, s);
  const std::vector<Seconds>& c = machine_costs.sends;
  Pipeline result;
  std::vector<StagePass> passes_of_stages;
  for (std::size_t i = 0; i < p; ++i) {
    BlockTime time = costs.layer * static_cast<double>(layers[i]);
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
  const Seconds passes = pipeline_time(passes_of_stages, {.schedule = s.schedule,
                                                          .num_microbatches = num_microbatches(scenario_, s),
                                                          .blocking_sends = scenario_.software.blocking_sends.value});
  result.sends = sum(c) * 2.0 + ((p > 1 ? c[0] : Seconds(0)) * (m - 1));

  // A stage synchronises when its own backwards are done: stage i that much before stage 0.
  const KernelCost& kernel_cost = kernel_costs_.at(s.precision);
  const std::int64_t shards = s.zero_stage >= 1 ? s.data_parallel : 1;
  Seconds ends_ready;
  Seconds drained = passes;
  for (std::size_t i = 0; i < p; ++i) {
    const StageShape& shape = costs.stages[static_cast<std::size_t>(place_of(static_cast<std::int32_t>(i), s.pipeline_parallel))];
    const std::int64_t parameters = shape.parameters + (layers[i] - 1) * costs.layer_shape.parameters;
    const std::int64_t tensors = shape.num_tensors + (layers[i] - 1) * costs.layer_shape.num_tensors;
    const Bytes gradients(parameters * costs.options.gradient_bytes);
    const Seconds sync = data_collective(machine_costs, s, s.zero_stage == 0 ? CollectiveKind::kAllReduce : CollectiveKind::kReduceScatter, gradients);
    const Seconds gather = s.zero_stage == 0 ? Seconds(0)
                                             : data_collective(machine_costs, s, CollectiveKind::kAllGather, Bytes(parameters * costs.options.compute_bytes));
    // One kernel's time for the mean tensor, as often as there are tensors.
    const auto per_tensor = [&](KernelKind kind, std::int64_t elements, std::int64_t bytes) {
      const auto of_one = [&](std::int64_t size) {
        return kernel_cost.time({.kind = kind, .shape = {.rows = elements / tensors}, .flops = {}, .bytes = Bytes(size), .operands = {}});
      };
      const std::int64_t larger = bytes % tensors;
      return of_one(bytes / tensors) * static_cast<double>(tensors - larger) + of_one(bytes / tensors + 1) * static_cast<double>(larger);
    };
    const std::int64_t state = scenario_.software.optimizer_bytes_per_parameter.value;
    const std::int64_t update_bytes = parameters / shards * (2 * costs.options.compute_bytes + costs.options.gradient_bytes + 2 * state);
    const Seconds update = per_tensor(KernelKind::kAdamW, parameters / shards, update_bytes);
    Seconds zeroing = per_tensor(KernelKind::kFillZero, gradients.value, gradients.value);
    if (i + 1 == p) {
      zeroing += kernel_cost.time({.kind = KernelKind::kFillZero, .shape = {.rows = 8}, .flops = {}, .bytes = Bytes(8), .operands = {}});  // the loss
    }
    Seconds extra;
    const bool end_stage = p > 1 && scenario_.model.tied_embeddings && (i == 0 || i + 1 == p);
    if (end_stage) {
      const std::int64_t rows = padded_vocab(scenario_.model, costs.options) / s.tensor_parallel;
      const double bytes = static_cast<double>(rows * scenario_.model.hidden_size * costs.options.gradient_bytes);
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

StageMemory ClosedForm::stage_memory(const Strategy& s, const BlockCosts& costs, std::int32_t stage, std::int32_t layers) const {
  const StageShape& shape = costs.stages[static_cast<std::size_t>(place_of(stage, s.pipeline_parallel))];
  const std::int64_t further = layers - 1;
  const std::int64_t parameters = shape.parameters + further * costs.layer_shape.parameters;
  const std::int64_t shards = s.zero_stage >= 1 ? s.data_parallel : 1;
  const std::int32_t m = num_microbatches(scenario_, s);
  const std::int64_t in_flight = s.schedule == ScheduleKind::kGPipe ? m : std::min(s.pipeline_parallel - stage, m);
  const std::int64_t saved = shape.saved.value + further * costs.layer_shape.saved.value;
  StageMemory memory;
  memory.parameters = Bytes(parameters * costs.options.compute_bytes);
  memory.gradients = Bytes(parameters * costs.options.gradient_bytes);
  memory.optimizer_states = Bytes((parameters + shards - 1) / shards * scenario_.software.optimizer_bytes_per_parameter.value);
  memory.activations = Bytes((in_flight - 1) * saved + shape.peak.value + further * costs.layer_shape.saved.value);
  memory.allocated = memory.parameters + memory.gradients + memory.optimizer_states + memory.activations;
  memory.reserved = memory.allocated + scenario_.software.framework_memory.value;
  return memory;
}

ClosedForm::Outcome ClosedForm::outcome(const Strategy& strategy) {
  Outcome outcome;
  outcome.step_time = pipeline(strategy).step_time;
  const BlockCosts& costs = blocks(strategy);
  const std::vector<std::int32_t> layers = layers_of_stages(scenario_, strategy);
  for (std::int32_t stage = 0; stage < strategy.pipeline_parallel; ++stage) {
    const Bytes reserved = stage_memory(strategy, costs, stage, layers[static_cast<std::size_t>(stage)]).reserved;
    if (reserved > outcome.peak_memory) {
      outcome.peak_memory = reserved;
      outcome.fullest_stage = stage;
    }
  }
  return outcome;
}

Estimate ClosedForm::evaluate(const Strategy& strategy) {
  const Pipeline parts = pipeline(strategy);
  const BlockCosts& costs = blocks(strategy);
  const std::vector<std::int32_t> layers = layers_of_stages(scenario_, strategy);
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
  for (std::int32_t stage = 0; stage < strategy.pipeline_parallel; ++stage) {
    estimate.stage_memory.push_back(stage_memory(strategy, costs, stage, layers[static_cast<std::size_t>(stage)]));
  }
  complete_estimate(estimate, scenario_);
  return estimate;
}

}  // namespace portolan
