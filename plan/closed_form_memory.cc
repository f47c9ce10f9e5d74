// What the closed form knows of memory: what chunks keep and hold at their widest moment, in flight by
// schedule.
#include <algorithm>
#include <optional>
#include <utility>

#include "plan/closed_form.h"
#include "plan/legality.h"
#include "plan/reserved_memory.h"
#include "plan/schedule.h"

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
Bytes ClosedForm::sharded_transients(const Strategy& s, const LayerRange& layers,
                                     std::int32_t virtual_stage) {
  if (!divides_gradients(s)) {
    return {};
  }
  const BlockOptions& options = first_blocks(s).options;
  std::vector<std::int64_t> sizes;  // of single blocks; the middle of many layers is like its ends
  for (const BlockRun& run : block_runs(s, layers, virtual_stage)) {
    sizes.insert(sizes.end(), static_cast<std::size_t>(std::min(run.count, 8)),
                 run.parameters + run.expert_parameters);
  }
  const auto ahead = static_cast<std::size_t>(scenario_.software.gather_prefetch.value) + 1;
  const bool gathers = divides_parameters(s) && scenario_.software.reshard_after_forward.value;
  std::int64_t most = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    std::int64_t elements = sizes[i] + (i + 1 < sizes.size() ? sizes[i + 1] : 0);
    for (std::size_t k = 0; gathers && k < ahead && k <= i; ++k) {
      elements += sizes[i - k];
    }
    most = std::max(most, elements);
  }
  return Bytes(most * options.compute_bytes);
}

Bytes ClosedForm::activations(const Strategy& s, std::int32_t stage,
                              const std::vector<LayersMemory>& chunks) {
  const PipelinePosition position{stage, s.pipeline_parallel, num_microbatches(scenario_, s),
                                  s.virtual_stages};
  const std::int32_t m = position.num_microbatches;
  if (s.schedule == ScheduleKind::kZeroBubbleH1) {
    // During the input gradients of microbatch i: forwards whose backward has not begun, and microbatches
    // whose weight gradients are put off.
    // Linear in i up to the last forward and after it: the most is at an end or where they meet.
    const std::int32_t last = std::min(stage, m - 1);
    const std::int32_t meet = std::clamp(m - (s.pipeline_parallel - stage), 0, last);
    Bytes most;
    for (const std::int32_t i : {0, meet, last}) {
      const std::int32_t ahead = std::min(s.pipeline_parallel - stage + i, m) - i - 1;
      most = std::max(most, chunks[0].saved * ahead + chunks[0].peak + chunks[0].deferred * i);
    }
    return most;
  }
  Bytes bytes;
  for (std::int32_t c = 0; c < s.virtual_stages; ++c) {
    bytes += chunks[static_cast<std::size_t>(c)].saved * forwards_before_backward(s, position, c);
  }
  const LayersMemory& running = chunks.back();
  return bytes - running.saved + running.peak;
}

Bytes ClosedForm::on_host(const Strategy& s, std::int32_t stage, const std::vector<LayersMemory>& chunks) {
  const PipelinePosition position{stage, s.pipeline_parallel, num_microbatches(scenario_, s),
                                  s.virtual_stages};
  if (s.schedule == ScheduleKind::kZeroBubbleH1) {
    return chunks[0].host * std::min(s.pipeline_parallel - stage, position.num_microbatches);
  }
  Bytes bytes;
  for (std::int32_t c = 0; c < s.virtual_stages; ++c) {
    bytes += chunks[static_cast<std::size_t>(c)].host * forwards_before_backward(s, position, c);
  }
  return bytes;
}

ClosedForm::LayersMemory ClosedForm::chunk_memory(const Strategy& s, const LayerRange& layers,
                                                  std::int32_t k) {
  const std::vector<LayerRun> runs = layer_runs(s, layers);
  const StagePlace place = stage_place(k, s.pipeline_parallel * s.virtual_stages);
  LayersMemory chunk = offloads_activations(s.offload) && layers.count > 0
                           ? offloaded_memory(runs, place, keeps_last_layer(s, k))
                           : layers_memory(runs, place);
  if (divides_parameters(s) && !scenario_.software.reshard_after_forward.value) {
    Bytes kept;  // gathered in forward, given back after backward
    for (const BlockRun& run : block_runs(s, layers, k)) {
      const std::int64_t elements = run.parameters + run.expert_parameters;
      kept += Bytes(run.read_in_backward ? run.count * elements * first_blocks(s).options.compute_bytes : 0);
    }
    chunk.saved += kept;
    chunk.peak += kept;
  }
  return chunk;
}

std::vector<StageMemory> ClosedForm::stage_memory(const Strategy& s, const std::vector<StageSum>& stages,
                                                  const Chunks& chunks) {
  const BlockCosts& costs = first_blocks(s);
  const std::int64_t shards = s.zero_stage >= 1 ? zero_sharers(s) : 1;
  const std::int64_t expert_shards = s.zero_stage >= 1 ? expert_sharers(s) : 1;
  std::vector<LayersMemory> kept;  // by the chunks of a stage
  Bytes transients;                // the most of them
  std::vector<StageMemory> memories;
  memories.reserve(stages.size());
  for (std::size_t i = 0; i < stages.size(); ++i) {
    if (!chunks.is_like_second(static_cast<std::int32_t>(i), s.pipeline_parallel)) {
      kept.clear();
      transients = Bytes(0);
      for (std::int32_t c = 0; c < s.virtual_stages; ++c) {
        const std::int32_t k = c * s.pipeline_parallel + static_cast<std::int32_t>(i);
        const LayerRange& layers = chunks.layers[static_cast<std::size_t>(k)];
        kept.push_back(chunk_memory(s, layers, k));
        transients = std::max(transients, sharded_transients(s, layers, k));
      }
    }
    const StageParameters& held = stages[i].parameters;
    const std::int64_t parameters = held.elements + held.expert_elements;
    StageMemory memory;
    const std::int64_t shard =
        (held.elements + shards - 1) / shards + (held.expert_elements + expert_shards - 1) / expert_shards;
    memory.parameters =
        Bytes((divides_parameters(s) ? shard : parameters) * costs.options.compute_bytes) + transients;
    memory.gradients =
        Bytes((divides_gradients(s) ? shard : parameters) * gradient_width(scenario_.software, s.precision));
    memory.optimizer_states = Bytes(shard * scenario_.software.optimizer_bytes_per_parameter.value);
    memory.activations = activations(s, static_cast<std::int32_t>(i), kept);
    memory.host = on_host(s, static_cast<std::int32_t>(i), kept);
    if (offloads_optimizer(s.offload)) {
      memory.host += std::exchange(memory.optimizer_states, Bytes(0));
      const Bytes streamed = streamed_states(held);
      if (streamed > memory.activations + transients) {  // most is held after the passes
        memory.optimizer_states = streamed;
        memory.activations = Bytes(0);
        memory.parameters = memory.parameters - transients;
      }
    }
    memory.allocated = memory.parameters + memory.gradients + memory.optimizer_states + memory.activations;
    memory.reserved = memory.allocated + memory_outside_allocator(scenario_, s, static_cast<std::int32_t>(i));
    memories.push_back(memory);
  }
  return memories;
}

}  // namespace portolan
