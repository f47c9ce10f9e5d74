#include "plan/closed_form.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "plan/legality.h"
#include "plan/once_a_step_cost.h"
#include "plan/rank_place.h"
#include "plan/schedule.h"

namespace portolan {

/// Times of the parts of a step.
struct ClosedForm::Pipeline {
  Seconds step_time;
  Seconds sends;      ///< on the critical path
  Seconds data;       ///< exposed synchronisation and gathers
  Seconds optimizer;  ///< with zeroing
  Seconds offload;    ///< of optimizer states
};

ClosedForm::ClosedForm(const Scenario& scenario, const Cluster& cluster)
    : scenario_(scenario), cluster_(cluster), prices_(cluster) {
  const std::int64_t with_experts = num_layers_of(scenario.model, LayerKind::kExperts);
  has_one_layer_kind_ = with_experts == 0 || with_experts == scenario.model.num_layers;
}

ClosedForm::BlockKey ClosedForm::block_key(const Strategy& s, const RecomputeSet& recompute,
                                           LayerKind kind) const {
  // Where the ranks of a group sit follows from the degrees of the axes before theirs.
  const Placement placement = placement_of(s);
  const auto stride = [&](Axis axis) {
    Coordinates one{};
    const bool divided = placement.degree(axis) > 1;
    one[static_cast<std::size_t>(axis)] = divided ? 1 : 0;
    return placement.rank_of(one);
  };
  return {s.tensor_parallel,
          s.context_parallel,
          s.expert_parallel,
          {stride(Axis::kTensor), stride(Axis::kContext), stride(Axis::kExpert)},
          s.sequence_parallel,
          s.microbatch_size,
          recompute.to_ulong(),
          s.precision,
          splits_backward(s.schedule),
          sharers_wire(s, placement, cluster_),
          kind};
}

const KernelCost& ClosedForm::kernel_cost(const Strategy& s) {
  return kernel_costs_.try_emplace(s.precision, scenario_.hardware, s.precision, scenario_.software)
      .first->second;
}

const BlockCosts& ClosedForm::blocks(const Strategy& s, const RecomputeSet& recompute, LayerKind kind) {
  const BlockKey key = block_key(s, recompute, kind);
  if (last_blocks_ != nullptr && last_blocks_->first == key) {
    return last_blocks_->second;
  }
  if (const auto found = blocks_.find(key); found != blocks_.end()) {
    last_blocks_ = &*found;
    return found->second;
  }
  Strategy alike = s;
  alike.recompute = {.all_layers = recompute, .per_layer = {}};
  last_blocks_ = &*blocks_.emplace(key, block_costs(scenario_, alike, {kind}, prices_, kernel_cost(s))).first;
  return last_blocks_->second;
}

const BlockCosts& ClosedForm::first_blocks(const Strategy& s) {
  if (first_blocks_ == nullptr) {
    first_blocks_ = &blocks(s, s.recompute.of_layer(0), layer_kind(scenario_.model, 0));
  }
  return *first_blocks_;
}

bool ClosedForm::layers_are_alike(const Strategy& s) const {
  return s.recompute.per_layer.empty() && has_one_layer_kind_;
}

/// Of chunks with as many layers as the one before.
bool ClosedForm::is_like_before(const Strategy& s, const LayerRange& layers) const {
  for (std::int32_t layer = layers.first; layer < layers.first + layers.count; ++layer) {
    const std::int32_t before = layer - layers.count;
    if (layer_kind(scenario_.model, layer) != layer_kind(scenario_.model, before) ||
        s.recompute.of_layer(layer) != s.recompute.of_layer(before)) {
      return false;
    }
  }
  return true;
}

std::vector<ClosedForm::LayerRun> ClosedForm::layer_runs(const Strategy& s, const LayerRange& layers) {
  if (s.recompute.layers_per_group > 1 && layers.count > 0) {
    return group_runs(s, layers);
  }
  if (layers_are_alike(s) || layers.count == 0) {
    return {{layers.count, &first_blocks(s)}};
  }
  const auto kind_of = [&](std::int32_t layer) { return layer_kind(scenario_.model, layer); };
  std::vector<LayerRun> runs;
  for (std::int32_t layer = layers.first; layer < layers.first + layers.count; ++layer) {
    const bool as_before = layer > layers.first && kind_of(layer) == kind_of(layer - 1) &&
                           s.recompute.of_layer(layer) == s.recompute.of_layer(layer - 1);
    if (as_before) {
      ++runs.back().count;
    } else {
      runs.push_back({1, &blocks(s, s.recompute.of_layer(layer), kind_of(layer))});
    }
  }
  return runs;
}

const MachineCosts& ClosedForm::machine(const Strategy& s) {
  const BoundaryBytes boundary = boundary_bytes(scenario_, s);
  const MachineKey key{s.tensor_parallel,    s.context_parallel,
                       s.expert_parallel,    s.data_parallel,
                       s.pipeline_parallel,  zero_sharers(s),
                       s.virtual_stages > 1, boundary.held.value,
                       boundary.sent.value,  s.gradient_aggregation.algorithm,
                       s.axis_order};
  if (last_machine_ == nullptr || last_machine_->first != key) {
    auto found = machines_.find(key);
    if (found == machines_.end()) {
      found = machines_.emplace(key, machine_costs(scenario_, s, prices_)).first;
    }
    last_machine_ = &*found;
  }
  return last_machine_->second;
}

/// Blocks of a chunk in forward order, with the elements that a rank computes with: embedding, layers, head.
std::vector<ClosedForm::BlockRun> ClosedForm::block_runs(const Strategy& s, const LayerRange& layers,
                                                         std::int32_t virtual_stage) {
  const BlockCosts& costs = first_blocks(s);
  std::vector<BlockRun> runs;
  const StageShape& layer = costs.layer_shape;
  const auto add = [&](const BlockRun& run) { runs.push_back(run); };
  const auto end_block = [&](const BlockTime& time, StagePlace place, bool read_in_backward) {
    const StageShape& shape = costs.stages[static_cast<std::size_t>(place)];
    const std::int64_t parameters = shape.parameters - layer.parameters;
    const std::int64_t num_tensors = shape.num_tensors - layer.num_tensors;
    // The head of a tied model on one stage reads the embedding's own weight.
    const bool shares = place == StagePlace::kLast && s.pipeline_parallel == 1;
    const auto of = [&](StagePlace other) {
      return costs.stages[static_cast<std::size_t>(other)].parameters;
    };
    const std::int64_t updated = shares ? of(StagePlace::kOnly) - of(StagePlace::kFirst) : parameters;
    add({.count = 1,
         .time = time,
         .parameters = parameters,
         .num_tensors = num_tensors,
         .updated = updated,
         .read_in_backward = read_in_backward});
  };
  if (virtual_stage == 0) {
    end_block(costs.embedding, StagePlace::kFirst, false);
  }
  for (const LayerRun& run : layer_runs(s, layers)) {
    if (run.count == 0) {
      continue;
    }
    if (!run.costs->grouped.empty()) {
      add_grouped_layers(run, runs);
      continue;
    }
    const StageShape& shape = run.costs->layer_shape;
    add({.count = run.count,
         .time = run.costs->layer,
         .parameters = shape.parameters,
         .num_tensors = shape.num_tensors,
         .updated = shape.parameters,
         .expert_parameters = shape.expert_parameters,
         .is_layer = true,
         .saved = shape.saved});
  }
  if (virtual_stage + 1 == s.pipeline_parallel * s.virtual_stages) {
    end_block(costs.head, StagePlace::kLast, true);
  }
  return runs;
}

void ClosedForm::add_bucket_blocks(const Strategy& s, const LayerRange& layers, std::int32_t virtual_stage,
                                   StageParameters& stage) {
  const std::int64_t width = gradient_width(scenario_.software, s.precision);
  const bool split = splits_backward(s.schedule);
  std::vector<BucketBlocks> forward, backward;
  for (const BlockRun& run : block_runs(s, layers, virtual_stage)) {
    const Bytes gradients(run.updated * width), expert_gradients(run.expert_parameters * width);
    const std::int64_t element = compute_bytes(s.precision);
    forward.push_back({.count = run.count,
                       .compute = run.time.whole_forward(),
                       .payload = Bytes(run.updated * element),
                       .expert_payload = Bytes(run.expert_parameters * element),
                       .fill = gradients + expert_gradients});
    backward.push_back({.count = run.count,
                        .compute = split ? run.time.weight : run.own_backward() + run.others_ahead,
                        .payload = gradients,
                        .expert_payload = expert_gradients,
                        .fill = gradients + expert_gradients});
  }
  if (forward.empty()) {
    return;
  }
  forward.back().closes = backward.front().closes = true;
  std::reverse(backward.begin(), backward.end());
  // Forward meets the chunks from the first to the last, backward the other way round.
  stage.forward_blocks.insert(stage.forward_blocks.end(), forward.begin(), forward.end());
  stage.backward_blocks.insert(stage.backward_blocks.begin(), backward.begin(), backward.end());
}

ChunkPass ClosedForm::add_chunk(const Strategy& s, const MachineCosts& machine, const LayerRange& layers,
                                std::int32_t k, StageSum& stage) {
  const BlockCosts& costs = first_blocks(s);
  const std::int32_t num_virtual = s.pipeline_parallel * s.virtual_stages;
  const StageShape& shape = costs.stages[static_cast<std::size_t>(stage_place(k, num_virtual))];
  // What the end blocks have is what a chunk of one layer there has beside the layer.
  const StageShape& one = costs.layer_shape;
  stage.parameters.elements += shape.parameters - one.parameters;
  stage.parameters.num_tensors += shape.num_tensors - one.num_tensors;
  stage.parameters.partial_gradients += shape.partial_gradients - one.partial_gradients;
  BlockTime time;
  for (const LayerRun& run : layer_runs(s, layers)) {
    const StageShape& layer = run.costs->layer_shape;
    time = time + run.costs->layer * run.count;
    stage.parameters.elements += layer.parameters * run.count;
    stage.parameters.expert_elements += layer.expert_parameters * run.count;
    stage.parameters.num_tensors += layer.num_tensors * run.count;
    stage.parameters.partial_gradients += layer.partial_gradients * run.count;
  }
  if (k == 0) {
    time = time + costs.embedding;
  } else {
    time.exposed_forward[Axis::kTensor] += machine.gather;
  }
  if (k + 1 == num_virtual) {
    time = time + costs.head;
  } else {
    time.exposed_backward[Axis::kTensor] += machine.gather;
  }
  if (sums_beside_backward(s)) {
    add_bucket_blocks(s, layers, k, stage.parameters);
  }
  Seconds accumulation;
  if (divides_gradients(s)) {
    const ShardedWaits waits = sharded_waits(s, machine, layers, k);
    accumulation = waits.accumulation;
    time.exposed_forward[Axis::kData] += waits.forward;
    time.exposed_backward[Axis::kData] += waits.backward;
  }
  PassWaits further;
  if (s.offload != Offload::kNone) {
    further = add_copies(s, machine, layers, k, stage, time);
  }
  stage.time = stage.time + time;
  stage.further = {stage.further.forward + further.forward, stage.further.backward + further.backward};
  return {.forward = time.whole_forward(),
          .backward = time.whole_backward(),
          .weight = time.weight,
          .further_forward = further.forward,
          .further_backward = further.backward,
          .waits_forward = time.whole_forward() - time.forward,
          .waits_backward = time.whole_backward() - time.backward - time.recompute - accumulation,
          .unlike = time.offload_forward + time.offload_backward +
                    machine.gather * ((k > 0 ? 1 : 0) + (k + 1 < num_virtual ? 1 : 0))};
}

ClosedForm::Chunks ClosedForm::chunks_of(const Strategy& s) const {
  Chunks chunks;
  chunks.layers.reserve(static_cast<std::size_t>(s.pipeline_parallel * s.virtual_stages));
  LayerRange next;
  for (const std::int32_t count : layers_of_stages(scenario_, s)) {
    next.count = count;
    chunks.layers.push_back(next);
    next.first += count;
  }
  const bool layers_alike = layers_are_alike(s);
  for (std::size_t k = 2; chunks.alike_between_ends && k + 1 < chunks.layers.size(); ++k) {
    const LayerRange& layers = chunks.layers[k];
    chunks.alike_between_ends =
        layers.count == chunks.layers[1].count && (layers_alike || is_like_before(s, layers));
  }
  // How a stage's forwards follow one another may tell stages apart where they are copied to the host.
  chunks.copied_alike = !offloads_activations(s.offload) ||
                        (s.schedule != ScheduleKind::kInterleaved && num_microbatches(scenario_, s) > 1);
  return chunks;
}

ClosedForm::StageSums ClosedForm::stage_sums(const Strategy& s, const MachineCosts& machine,
                                             const Chunks& chunks) {
  const BlockCosts& costs = first_blocks(s);
  StageSums sums;
  std::vector<StageSum>& stages = sums.stages;
  std::vector<ChunkPass>& passes = sums.passes.chunks;
  stages.resize(static_cast<std::size_t>(s.pipeline_parallel));
  passes.resize(chunks.layers.size());
  for (std::int32_t i = 0; i < s.pipeline_parallel; ++i) {
    StageSum& stage = stages[static_cast<std::size_t>(i)];
    const bool like_second = chunks.is_like_second(i, s.pipeline_parallel);
    if (like_second) {
      stage = stages[1];
    }
    for (std::int32_t c = 0; c < s.virtual_stages; ++c) {
      const std::int32_t second = c * s.pipeline_parallel + 1, k = c * s.pipeline_parallel + i;
      passes[static_cast<std::size_t>(k)] =
          like_second ? passes[static_cast<std::size_t>(second)]
                      : add_chunk(s, machine, chunks.layers[static_cast<std::size_t>(k)], k, stage);
    }
  }
  sums.passes.alike_between_ends = chunks.alike_between_ends;
  sums.passes.sends = machine.sends;
  sums.passes.sends.push_back(s.virtual_stages > 1 ? machine.wrap_send : Seconds(0));
  stages.back().parameters.holds_loss = true;
  if (scenario_.model.tied_embeddings && s.pipeline_parallel > 1) {
    const std::int64_t rows = padded_vocab(scenario_.model, costs.options) / s.tensor_parallel;
    stages.front().parameters.tied = stages.back().parameters.tied = rows * scenario_.model.hidden_size;
  }
  if (gathers_beside_forward(scenario_, s)) {
    Seconds fill;
    for (std::size_t i = 0; i < stages.size(); ++i) {
      stages[i].parameters.fill = fill;
      fill += passes[i].forward + sums.passes.sends[i];
    }
  }
  return sums;
}

ClosedForm::Pipeline ClosedForm::pipeline(const Strategy& s, const StageSums& sums) {
  const std::vector<StageSum>& stages = sums.stages;
  const std::vector<Seconds>& sends = sums.passes.sends;
  const std::size_t p = stages.size();
  const PipelineShape shape{.schedule = s.schedule,
                            .num_microbatches = num_microbatches(scenario_, s),
                            .blocking_sends = scenario_.software.blocking_sends.value,
                            .num_chunks = s.virtual_stages};
  std::vector<Seconds> ends = pipeline_ends(sums.passes, shape);
  Seconds copies;  // what goes to the host cannot go faster
  for (const StageSum& stage : stages) {
    copies = std::max(copies, stage.copies * shape.num_microbatches);
  }
  const Seconds late = std::max(copies - *std::max_element(ends.begin(), ends.end()), Seconds(0));

  const OnceAStepContext context{scenario_, s, cluster_, machine(s), kernel_costs_.at(s.precision)};
  std::vector<OnceAStepCost> once(p);
  Seconds begin, fill;  // of the first pass; from it to that of a stage
  for (std::size_t i = 0; i < p; ++i) {
    once[i] = i > 0 && stages[i].parameters == stages[i - 1].parameters
                  ? once[i - 1]
                  : once_a_step_cost(context, stages[i].parameters);
    begin = std::max(begin, once[i].zeroing - fill);
    fill += sums.passes.chunks[i].forward + sends[i];
  }
  const auto synchronised = [&](std::size_t i) { return begin + ends[i] + late + once[i].sync; };
  const Seconds both_ends = std::max(synchronised(0), synchronised(p - 1));
  Pipeline result;
  result.sends = std::accumulate(sends.begin(), sends.end() - 1, Seconds(0)) * 2.0 +
                 (p > 1 ? sends[0] : Seconds(0)) * (s.virtual_stages * shape.num_microbatches - 1.0);
  for (std::size_t i = 0; i < p; ++i) {
    OnceAStepCost& cost = once[i];
    Seconds summed = synchronised(i);
    if (stages[i].parameters.tied > 0) {  // the first and the last stage wait for each other
      cost.offload = offload_after(context, stages[i].parameters, cost, both_ends - summed);
      summed = both_ends + cost.sync_ends;
    }
    const Seconds end = summed + cost.update + cost.gather + cost.offload;
    if (end > result.step_time) {
      result.step_time = end;
      result.data = cost.sync + cost.sync_ends + cost.gather;
      result.optimizer = cost.update + once.front().zeroing;
      result.offload = cost.offload;
    }
  }
  return result;
}

ClosedForm::Outcome ClosedForm::outcome(const Strategy& strategy) {
  Outcome outcome;
  first_blocks_ = nullptr;
  const Chunks chunks = chunks_of(strategy);
  const StageSums sums = stage_sums(strategy, machine(strategy), chunks);
  outcome.step_time = pipeline(strategy, sums).step_time;
  const std::vector<StageMemory> stages = stage_memory(strategy, sums.stages, chunks);
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    if (stages[stage].reserved > outcome.peak_memory) {
      outcome.peak_memory = stages[stage].reserved;
      outcome.fullest_stage = static_cast<std::int32_t>(stage);
    }
  }
  return outcome;
}

Estimate ClosedForm::evaluate(const Strategy& strategy) {
  first_blocks_ = nullptr;
  const Chunks chunks = chunks_of(strategy);
  const StageSums sums = stage_sums(strategy, machine(strategy), chunks);
  const Pipeline parts = pipeline(strategy, sums);
  const double m = num_microbatches(scenario_, strategy);
  Estimate estimate;
  estimate.strategy = strategy;
  estimate.step_time = parts.step_time;
  const BlockTime& first = sums.stages.front().time;
  Breakdown& b = estimate.breakdown;
  b.compute = (first.forward + first.backward + first.weight) * m;
  b.recompute = first.recompute * m;
  const AxisSeconds exposed = (first.exposed_forward + first.exposed_backward) * m;
  b.exposed_tensor = exposed[Axis::kTensor];
  b.exposed_context = exposed[Axis::kContext];
  b.exposed_expert = exposed[Axis::kExpert];
  b.exposed_data = exposed[Axis::kData] + parts.data;
  b.optimizer = parts.optimizer;
  const PassWaits& further = sums.stages.front().further;
  b.offload = (first.offload_forward + first.offload_backward) * m +
              (further.forward + further.backward) * (m - 1) + parts.offload;
  const Seconds rest = parts.step_time - b.total();
  b.exposed_pipeline = std::min(parts.sends, rest);
  b.bubble = rest - b.exposed_pipeline;
  estimate.stage_memory = stage_memory(strategy, sums.stages, chunks);
  complete_estimate(estimate, scenario_);
  return estimate;
}

}  // namespace portolan
