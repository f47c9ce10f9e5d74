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

std::int32_t ClosedForm::forwards_before_backward(const Strategy& s, const PipelinePosition& position,
                                                  std::int32_t chunk) {
  const std::int32_t in_flight = max_in_flight(s.schedule, position);
  const std::int32_t group = s.pipeline_parallel * s.virtual_stages;
  const std::int32_t in_last_group =
      std::clamp(in_flight % group - chunk * s.pipeline_parallel, 0, s.pipeline_parallel);
  return s.virtual_stages == 1 ? in_flight : in_flight / group * s.pipeline_parallel + in_last_group;
}

ClosedForm::LayersMemory ClosedForm::layers_memory(const std::vector<LayerRun>& runs, StagePlace place) {
  const auto placed = [&](const LayerRun& run) -> const StageShape& {
    return run.costs->stages[static_cast<std::size_t>(place)];
  };
  const LayerRun& bottom = runs.front();
  const StageShape& lowest = bottom.costs->layer_shape;
  LayersMemory memory;
  Bytes below;  // saved by the layers below, while a layer runs backward
  Bytes above;  // put off by those above, which are done with
  for (const LayerRun& run : runs) {
    above += run.costs->layer_shape.deferred * run.count;
  }
  memory.saved = placed(bottom).saved - lowest.saved;
  memory.deferred = placed(bottom).deferred - lowest.deferred + above;
  if (bottom.count == 0) {
    memory.peak = placed(bottom).peak - std::max(lowest.saved, lowest.deferred);
    return memory;
  }
  // The lowest layer runs with the embedding, if it is there, which is below all others, the highest one with
  // the head.
  const bool embeds = place == StagePlace::kFirst || place == StagePlace::kOnly;
  const Bytes embedding =
      embeds ? bottom.costs->stages[static_cast<std::size_t>(StagePlace::kFirst)].saved - lowest.saved
             : Bytes(0);
  memory.peak = placed(bottom).peak + above - lowest.deferred;
  for (const LayerRun& run : runs) {
    const StageShape& layer = run.costs->layer_shape;
    const std::int64_t skipped_first = &run == &bottom ? 1 : 0, skipped_last = &run == &runs.back() ? 1 : 0;
    above = above - layer.deferred * run.count;
    if (run.count > skipped_first + skipped_last) {  // what it holds below and above changes layer by layer
      const std::int64_t others = run.count - 1;
      const Bytes lowest_of_run = layer.saved * skipped_first + layer.deferred * (others - skipped_first);
      const Bytes highest_of_run = layer.saved * (others - skipped_last) + layer.deferred * skipped_last;
      memory.peak = std::max(
          memory.peak, below + above + embedding + layer.peak + std::max(lowest_of_run, highest_of_run));
    }
    memory.saved += layer.saved * run.count;
    below += layer.saved * run.count;
  }
  const StageShape& highest = runs.back().costs->layer_shape;
  memory.peak = std::max(memory.peak, placed(runs.back()).peak + below - highest.saved);
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

ClosedForm::Moments ClosedForm::moments(const Strategy& s, const PipelinePosition& position) {
  const std::int32_t m = position.num_microbatches;
  Moments moments;
  if (s.schedule != ScheduleKind::kZeroBubbleH1) {
    moments.fill({forwards_before_backward(s, position, s.virtual_stages - 1) - 1, 0});
    return moments;
  }
  // During the input gradients of microbatch i: forwards whose backward has not begun, and microbatches
  // whose weight gradients are put off.
  // Linear in i up to the last forward and after it: the most is at an end or where they meet.
  const std::int32_t behind = s.pipeline_parallel - position.stage;
  const std::int32_t last = std::min(position.stage, m - 1);
  const std::array<std::int32_t, 3> during = {0, std::clamp(m - behind, 0, last), last};
  for (std::size_t i = 0; i < during.size(); ++i) {
    moments[i] = {std::min(behind + during[i], m) - during[i] - 1, during[i]};
  }
  return moments;
}

Bytes ClosedForm::activations(const Strategy& s, const PipelinePosition& position, const StageSums& sums) {
  const std::vector<std::size_t>& chunks = sums.of(static_cast<std::size_t>(position.stage)).chunks;
  const LayersMemory& running = sums.chunks[chunks.back()].memory;
  Bytes bytes;
  for (const RematerializationProblem::Moment& moment : moments(s, position)) {
    bytes = std::max(
        bytes, running.saved * moment.num_saved + running.peak + running.deferred * moment.num_deferred);
  }
  for (std::size_t c = 0; c + 1 < chunks.size(); ++c) {
    bytes += sums.chunks[chunks[c]].memory.saved *
             forwards_before_backward(s, position, static_cast<std::int32_t>(c));
  }
  return bytes;
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
  return stage_memory(s, sums, stage, activations(s, position_of(s, stage), sums));
}

PipelinePosition ClosedForm::position_of(const Strategy& s, std::int32_t stage) const {
  return {stage, s.pipeline_parallel, num_microbatches(scenario_, s), s.virtual_stages};
}

StageMemory ClosedForm::stage_memory(const Strategy& s, const StageSums& sums, std::int32_t stage,
                                     Bytes activations) {
  const BlockCosts& costs = first_blocks(s);
  const std::int64_t shards = s.zero_stage >= 1 ? zero_sharers(s) : 1;
  const std::int64_t expert_shards = s.zero_stage >= 1 ? expert_sharers(s) : 1;
  const StageSum& sum = sums.of(static_cast<std::size_t>(stage));
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
  Bytes packed;  // what compressed sums hold while they run, one after another
  for (const CompressedSum& compressed : compressed_sums(scenario_, s, held)) {
    memory.gradients += compressed.kept();
    packed = std::max(packed, compressed.transient());
  }
  memory.optimizer_states = Bytes(shard * scenario_.software.optimizer_bytes_per_parameter.value);
  memory.activations = activations;
  memory.host = offloads_activations(s.offload) ? on_host(s, position_of(s, stage), sums) : Bytes(0);
  if (offloads_optimizer(s.offload)) {
    memory.host += std::exchange(memory.optimizer_states, Bytes(0));
  }
  // After the passes: updates, sums or gathers, whichever holds most.
  const Bytes streamed = offloads_optimizer(s.offload) ? streamed_states(held) : Bytes(0);
  const Bytes copies(shard * update_copy_width(scenario_.software, s));
  const Bytes buffers = std::max({reduce_buffer(scenario_.software, s), gather_buffer(scenario_, s), packed});
  const Bytes after = std::max({streamed, copies, buffers});
  if (after > memory.activations + transients) {
    (after == buffers  ? memory.communication
     : after == copies ? memory.workspace
                       : memory.optimizer_states) = after;
    memory.activations = Bytes(0);
    memory.parameters = memory.parameters - transients;
  }
  memory.allocated = memory.parameters + memory.gradients + memory.optimizer_states + memory.activations +
                     memory.workspace + memory.communication;
  memory.reserved = memory.allocated + memory_outside_allocator(scenario_, s, stage);
  return memory;
}

}  // namespace portolan
