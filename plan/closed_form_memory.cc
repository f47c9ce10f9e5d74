// What the closed form knows of memory: what chunks keep and hold at their widest moment, in flight by
// schedule.
#include <algorithm>
#include <optional>
#include <utility>

#include "plan/closed_form.h"
#include "plan/legality.h"
#include "plan/reserved_memory.h"
#include "plan/schedule.h"
#include "plan/sharding.h"

namespace portolan {

namespace {

/// Of chunk `chunk`, when the first backward begins in the last one.
std::int32_t forwards_before_backward(const Strategy& s, const PipelinePosition& position,
                                      std::int32_t chunk) {
  const std::int32_t in_flight = max_in_flight(s.schedule, position);
  const std::int32_t group = s.pipeline_parallel * s.virtual_stages;
  const std::int32_t in_last_group =
      std::clamp(in_flight % group - chunk * s.pipeline_parallel, 0, s.pipeline_parallel);
  return s.virtual_stages == 1 ? in_flight : in_flight / group * s.pipeline_parallel + in_last_group;
}

}  // namespace

ClosedForm::LayersMemory ClosedForm::layers_memory(const std::vector<LayerRun>& runs, StagePlace place) {
  LayersMemory memory;
  Bytes below;  // saved by the layers below, while a layer runs backward
  Bytes above;  // put off by those above, which are done with
  for (const LayerRun& run : runs) {
    above += run.costs->layer_shape.deferred * run.count;
  }
  for (const LayerRun& run : runs) {
    const bool first = &run == &runs.front();
    const bool at_end = first || &run == &runs.back();
    const StageShape& layer = run.costs->layer_shape;
    // A layer at an end of the chunk runs with the block there.
    const StageShape& shape =
        run.costs->stages[static_cast<std::size_t>(at_end ? place : StagePlace::kMiddle)];
    above = above - layer.deferred * run.count;
    const std::int64_t others = run.count - 1;
    memory.peak =
        std::max(memory.peak, below + above + shape.peak + std::max(layer.saved, layer.deferred) * others);
    const StageShape& placed = first ? run.costs->stages[static_cast<std::size_t>(place)] : layer;
    memory.saved += placed.saved + layer.saved * others;
    memory.deferred += placed.deferred + layer.deferred * others;
    below += layer.saved * run.count;
  }
  return memory;
}

/// What the widest moment of a chunk's backward holds beside shards: gathered parameters, gradients that are
/// not reduced yet.
Bytes ClosedForm::sharded_transients(const Strategy& s, const std::vector<BlockRun>& blocks) {
  const BlockOptions& options = first_blocks(s).options;
  std::vector<std::int64_t> sizes;  // of single blocks; the middle of many layers is like its ends
  for (const BlockRun& run : blocks) {
    sizes.insert(sizes.end(), static_cast<std::size_t>(std::min(run.count, 8)),
                 run.parameters + run.expert_parameters);
  }
  const auto ahead = static_cast<std::size_t>(scenario_.software.gather_prefetch.value) + 1;
  const Sharding sharding = sharding_of(scenario_, s);
  const std::int64_t copy_bytes = sharding.reduce_copy_bytes;
  std::int64_t most = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    // As the block's gradients are there, those of the one after it may still be reduced.
    const std::int64_t reduced = i + 1 < sizes.size() ? sizes[i + 1] : 0;
    std::int64_t bytes = sizes[i] * (options.compute_bytes + copy_bytes) +
                         reduced * (copy_bytes > 0 ? copy_bytes : options.compute_bytes);
    for (std::size_t k = 0; sharding.regathers && k < ahead && k <= i; ++k) {
      bytes += sizes[i - k] * options.compute_bytes;
    }
    most = std::max(most, bytes);
  }
  return Bytes(most);
}

Bytes ClosedForm::activations(const Strategy& s, const PipelinePosition& position, const StageSums& sums) {
  const std::vector<std::size_t>& chunks = sums.of(static_cast<std::size_t>(position.stage)).chunks;
  const std::int32_t m = position.num_microbatches;
  const std::int32_t behind = s.pipeline_parallel - position.stage;
  if (s.schedule == ScheduleKind::kZeroBubbleH1) {
    // During the input gradients of microbatch i: forwards whose backward has not begun, and microbatches
    // whose weight gradients are put off.
    // Linear in i up to the last forward and after it: the most is at an end or where they meet.
    const LayersMemory& chunk = sums.chunks[chunks.front()].memory;
    const std::int32_t last = std::min(position.stage, m - 1);
    const std::int32_t meet = std::clamp(m - behind, 0, last);
    Bytes most;
    for (const std::int32_t i : {0, meet, last}) {
      const std::int32_t ahead = std::min(behind + i, m) - i - 1;
      most = std::max(most, chunk.saved * ahead + chunk.peak + chunk.deferred * i);
    }
    return most;
  }
  Bytes bytes;
  for (std::size_t c = 0; c < chunks.size(); ++c) {
    bytes += sums.chunks[chunks[c]].memory.saved *
             forwards_before_backward(s, position, static_cast<std::int32_t>(c));
  }
  const LayersMemory& running = sums.chunks[chunks.back()].memory;
  return bytes - running.saved + running.peak;
}

Bytes ClosedForm::on_host(const Strategy& s, const PipelinePosition& position, const StageSums& sums) {
  const std::vector<std::size_t>& chunks = sums.of(static_cast<std::size_t>(position.stage)).chunks;
  if (s.schedule == ScheduleKind::kZeroBubbleH1) {
    return sums.chunks[chunks.front()].memory.host *
           std::min(s.pipeline_parallel - position.stage, position.num_microbatches);
  }
  Bytes bytes;
  for (std::size_t c = 0; c < chunks.size(); ++c) {
    bytes += sums.chunks[chunks[c]].memory.host *
             forwards_before_backward(s, position, static_cast<std::int32_t>(c));
  }
  return bytes;
}

ClosedForm::LayersMemory ClosedForm::chunk_memory(const Strategy& s, const std::vector<LayerRun>& runs,
                                                  const std::vector<BlockRun>& blocks, std::int32_t k) {
  const StagePlace place = stage_place(k, s.pipeline_parallel * s.virtual_stages);
  const bool has_layers = runs.front().count > 0;
  LayersMemory chunk = offloads_activations(s.offload) && has_layers
                           ? offloaded_memory(runs, place, keeps_last_layer(s, k))
                           : layers_memory(runs, place);
  if (divides_parameters(s) && !scenario_.software.reshard_after_forward.value) {
    Bytes kept;  // gathered in forward, given back after backward
    for (const BlockRun& run : blocks) {
      const std::int64_t elements = run.parameters + run.expert_parameters;
      kept += Bytes(run.read_in_backward ? run.count * elements * first_blocks(s).options.compute_bytes : 0);
    }
    chunk.saved += kept;
    chunk.peak += kept;
  }
  return chunk;
}

StageMemory ClosedForm::stage_memory(const Strategy& s, const StageSums& sums, std::int32_t stage) {
  const BlockCosts& costs = first_blocks(s);
  const std::int64_t shards = s.zero_stage >= 1 ? zero_sharers(s) : 1;
  const std::int64_t expert_shards = s.zero_stage >= 1 ? expert_sharers(s) : 1;
  const StageSum& sum = sums.of(static_cast<std::size_t>(stage));
  const PipelinePosition position{stage, s.pipeline_parallel, num_microbatches(scenario_, s),
                                  s.virtual_stages};
  Bytes transients;  // the most of its chunks
  for (const std::size_t chunk : sum.chunks) {
    transients = std::max(transients, sums.chunks[chunk].transients);
  }
  const StageParameters& held = sum.parameters;
  const std::int64_t parameters = held.elements + held.expert_elements;
  const std::int64_t shard =
      (held.elements + shards - 1) / shards + (held.expert_elements + expert_shards - 1) / expert_shards;
  StageMemory memory;
  memory.parameters =
      Bytes((divides_parameters(s) ? shard : parameters) * costs.options.compute_bytes) + transients;
  memory.gradients =
      Bytes((divides_gradients(s) ? shard : parameters) * gradient_width(scenario_.software, s.precision));
  memory.gradients += divides_gradients(s) ? Bytes(0) : held.kept_gradients;
  memory.optimizer_states = Bytes(shard * scenario_.software.optimizer_bytes_per_parameter.value);
  memory.activations = activations(s, position, sums);
  memory.host = offloads_activations(s.offload) ? on_host(s, position, sums) : Bytes(0);
  if (offloads_optimizer(s.offload)) {
    memory.host += std::exchange(memory.optimizer_states, Bytes(0));
    const Bytes streamed = streamed_states(held);
    if (streamed > memory.activations + transients) {  // most is held after the passes
      memory.optimizer_states = streamed;
      memory.activations = Bytes(0);
      memory.parameters = memory.parameters - transients;
    }
  }
  const Bytes copies(shard * update_copy_width(scenario_.software, s));
  const Bytes buffers = std::max(reduce_buffer(scenario_.software, s), gather_buffer(scenario_, s));
  if (std::max(copies, buffers) > memory.activations + transients) {  // most is held after the passes
    (copies > buffers ? memory.workspace : memory.communication) = std::max(copies, buffers);
    memory.activations = Bytes(0);
    memory.parameters = memory.parameters - transients;
  }
  memory.allocated = memory.parameters + memory.gradients + memory.optimizer_states + memory.activations +
                     memory.workspace + memory.communication;
  memory.reserved = memory.allocated + memory_outside_allocator(scenario_, s, stage);
  return memory;
}

}  // namespace portolan
