// What the closed form knows of chunks: which are alike, what each adds to its stage.
#include <algorithm>
#include <utility>

#include "plan/closed_form.h"
#include "plan/legality.h"

namespace portolan {

bool ClosedForm::layers_are_alike(const Strategy& s) const {
  return s.recompute.per_layer.empty() && has_one_layer_kind_;
}

bool ClosedForm::has_same_layers(const Strategy& s, const LayerRange& one, const LayerRange& other) const {
  if (one.count != other.count) {
    return false;
  }
  for (std::int32_t i = 0; i < one.count && !layers_are_alike(s); ++i) {
    const std::int32_t layer = one.first + i, same = other.first + i;
    if (layer_kind(scenario_.model, layer) != layer_kind(scenario_.model, same) ||
        s.recompute.of_layer(layer) != s.recompute.of_layer(same)) {
      return false;
    }
  }
  return true;
}

ClosedForm::Chunks ClosedForm::chunks_of(const Strategy& s) const {
  Chunks chunks;
  const std::int32_t num_chunks = s.pipeline_parallel * s.virtual_stages;
  chunks.layers.reserve(static_cast<std::size_t>(num_chunks));
  chunks.kinds.reserve(static_cast<std::size_t>(num_chunks));
  LayerRange next;
  for (const std::int32_t count : layers_of_stages(scenario_, s)) {
    next.count = count;
    chunks.layers.push_back(next);
    next.first += count;
  }
  const bool offloads = offloads_activations(s.offload);
  for (std::int32_t k = 0; k < num_chunks; ++k) {
    const LayerRange& layers = chunks.layers[static_cast<std::size_t>(k)];
    const bool between = k > 1 && k + 1 < num_chunks;
    chunks.alike_between_ends =
        chunks.alike_between_ends && (!between || has_same_layers(s, layers, chunks.layers[1]));
    const auto is_like = [&](std::int32_t other) {
      return stage_place(k, num_chunks) == stage_place(other, num_chunks) &&
             has_same_layers(s, layers, chunks.layers[static_cast<std::size_t>(other)]) &&
             (!offloads || keeps_last_layer(s, k) == keeps_last_layer(s, other));
    };
    const auto found = std::find_if(chunks.examples.rbegin(), chunks.examples.rend(), is_like);
    chunks.kinds.push_back(static_cast<std::size_t>(chunks.examples.rend() - found) - 1);
    if (found == chunks.examples.rend()) {
      chunks.kinds.back() = chunks.examples.size();
      chunks.examples.push_back(k);
    }
  }
  return chunks;
}

void ClosedForm::add_chunk_matrices(const Strategy& s, const std::vector<LayerRun>& runs, std::int32_t k,
                                    std::vector<GradientMatrix>& matrices) {
  const BlockCosts& costs = first_blocks(s);
  for (const LayerRun& run : runs) {
    if (run.count > 0) {
      add_matrices(matrices, run.costs->layer_matrices, run.count);
    }
  }
  if (k == 0) {
    add_matrices(matrices, costs.embedding_matrices, 1);
  }
  if (k + 1 == s.pipeline_parallel * s.virtual_stages) {
    // The head of a tied model on one stage reads the embedding's own weight.
    add_matrices(matrices, s.pipeline_parallel == 1 ? costs.tied_head_matrices : costs.head_matrices, 1);
  }
}

ClosedForm::ChunkSum ClosedForm::chunk_sum(const Strategy& s, const MachineCosts& machine,
                                           const LayerRange& layers, std::int32_t k, Waits waits) {
  const BlockCosts& costs = first_blocks(s);
  const std::int32_t num_virtual = s.pipeline_parallel * s.virtual_stages;
  const StageShape& shape = costs.stages[static_cast<std::size_t>(stage_place(k, num_virtual))];
  // What the end blocks have is what a chunk of one layer there has beside the layer.
  const StageShape& one = costs.layer_shape;
  const std::vector<LayerRun> runs = layer_runs(s, layers);
  ChunkSum chunk;
  StageParameters& parameters = chunk.parameters;
  parameters.elements = shape.parameters - one.parameters;
  parameters.num_tensors = shape.num_tensors - one.num_tensors;
  parameters.partial_gradients = shape.partial_gradients - one.partial_gradients;
  parameters.kept_gradients = shape.kept_gradients - one.kept_gradients;
  BlockTime& time = chunk.time;
  for (const LayerRun& run : runs) {
    const StageShape& layer = run.costs->layer_shape;
    time = time + run.costs->layer * run.count;
    parameters.elements += layer.parameters * run.count;
    parameters.expert_elements += layer.expert_parameters * run.count;
    parameters.num_tensors += layer.num_tensors * run.count;
    parameters.partial_gradients += layer.partial_gradients * run.count;
    parameters.kept_gradients += layer.kept_gradients * run.count;
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
  if (s.gradient_aggregation.compression.kind == CompressionKind::kPowerSgd) {
    add_chunk_matrices(s, runs, k, parameters.matrices);
  }
  std::vector<BlockRun> blocks;
  if (sums_beside_backward(s) || divides_gradients(s) || s.offload != Offload::kNone) {
    blocks = block_runs(s, layers, k);
  }
  if (sums_beside_backward(s)) {
    add_bucket_blocks(s, blocks, parameters);
  }
  if (divides_gradients(s)) {
    chunk.transients = sharded_transients(s, blocks);
  }
  if (divides_gradients(s) && waits != Waits::kNone) {
    const ShardedWaits shared = sharded_waits(s, machine, blocks);
    chunk.accumulation = shared.accumulation;
    time.exposed_forward[Axis::kData] += shared.forward;
    time.exposed_backward[Axis::kData] += shared.backward;
  }
  if (offloads_activations(s.offload)) {
    chunk.copies = waits_for_copies(machine, blocks, keeps_last_layer(s, k), waits);
  }
  if (offloads_optimizer(s.offload)) {
    add_streamed(s, blocks, parameters);
  }
  chunk.memory = chunk_memory(s, runs, blocks, k);
  return chunk;
}

ChunkPass ClosedForm::add_chunk(const Strategy& s, const MachineCosts& machine, const ChunkSum& chunk,
                                std::int32_t k, StageSum& stage) const {
  BlockTime time = chunk.time;
  PassWaits further;
  if (offloads_activations(s.offload)) {
    add_copies(s, k % s.pipeline_parallel, chunk.copies, time, further);
    stage.copies += chunk.copies.copies;
  }
  stage.time = stage.time + time;
  stage.further = {stage.further.forward + further.forward, stage.further.backward + further.backward};
  const StageParameters& own = chunk.parameters;
  StageParameters& all = stage.parameters;
  all.elements += own.elements;
  all.expert_elements += own.expert_elements;
  all.num_tensors += own.num_tensors;
  all.partial_gradients += own.partial_gradients;
  all.kept_gradients += own.kept_gradients;
  add_matrices(all.matrices, own.matrices, 1);
  // Forward meets the chunks from the first to the last, backward the other way round.
  all.forward_blocks.insert(all.forward_blocks.end(), own.forward_blocks.begin(), own.forward_blocks.end());
  all.backward_blocks.insert(all.backward_blocks.begin(), own.backward_blocks.begin(),
                             own.backward_blocks.end());
  all.streamed.insert(all.streamed.end(), own.streamed.begin(), own.streamed.end());
  const std::int32_t num_virtual = s.pipeline_parallel * s.virtual_stages;
  return {.forward = time.whole_forward(),
          .backward = time.whole_backward(),
          .weight = time.weight,
          .further_forward = further.forward,
          .further_backward = further.backward,
          .waits_forward = time.whole_forward() - time.forward,
          .waits_backward = time.whole_backward() - time.backward - time.recompute - chunk.accumulation,
          .unlike = time.offload_forward + time.offload_backward +
                    machine.gather * ((k > 0 ? 1 : 0) + (k + 1 < num_virtual ? 1 : 0))};
}

/// As the stage before it, in all of its chunks.
bool ClosedForm::is_like_before(const Strategy& s, const Chunks& chunks, std::int32_t stage) const {
  // How forwards follow one another tells stages apart where they are copied to the host.
  if (stage == 0 || (offloads_activations(s.offload) && s.schedule == ScheduleKind::kInterleaved)) {
    return false;
  }
  for (std::size_t k = static_cast<std::size_t>(stage); k < chunks.kinds.size();
       k += static_cast<std::size_t>(s.pipeline_parallel)) {
    if (chunks.kinds[k] != chunks.kinds[k - 1]) {
      return false;
    }
  }
  return true;
}

ClosedForm::StageSums ClosedForm::stage_sums(const Strategy& s, const MachineCosts& machine, Waits waits) {
  const Chunks chunks = chunks_of(s);
  const auto p = static_cast<std::size_t>(s.pipeline_parallel);
  StageSums sums;
  sums.chunks.reserve(chunks.examples.size());
  for (const std::int32_t k : chunks.examples) {
    sums.chunks.push_back(chunk_sum(s, machine, chunks.layers[static_cast<std::size_t>(k)], k, waits));
  }
  std::vector<ChunkPass>& passes = sums.passes.chunks;
  passes.resize(chunks.layers.size());
  sums.kinds.reserve(p);
  for (std::size_t i = 0; i < p; ++i) {
    const bool like_before = is_like_before(s, chunks, static_cast<std::int32_t>(i));
    if (!like_before) {
      sums.unlike.emplace_back();
    }
    sums.kinds.push_back(sums.unlike.size() - 1);
    StageSum& stage = sums.unlike.back();
    for (std::size_t k = i; k < passes.size(); k += p) {
      if (like_before) {
        passes[k] = passes[k - 1];
        continue;
      }
      passes[k] = add_chunk(s, machine, sums.chunks[chunks.kinds[k]], static_cast<std::int32_t>(k), stage);
      stage.chunks.push_back(chunks.kinds[k]);
    }
  }
  sums.passes.alike_between_ends = chunks.alike_between_ends;
  sums.passes.sends = machine.sends;
  sums.passes.sends.push_back(s.virtual_stages > 1 ? machine.wrap_send : Seconds(0));
  sums.unlike.back().parameters.holds_loss = true;
  if (scenario_.model.tied_embeddings && p > 1) {
    const std::int64_t rows = padded_vocab(scenario_.model, first_blocks(s).options) / s.tensor_parallel;
    sums.unlike.front().parameters.tied = sums.unlike.back().parameters.tied =
        rows * scenario_.model.hidden_size;
  }
  if (gathers_beside_forward(scenario_, s)) {
    Seconds fill;
    for (std::size_t i = 0; i < p; ++i) {
      sums.fills.push_back(fill);
      fill += passes[i].forward + sums.passes.sends[i];
    }
  }
  return sums;
}

}  // namespace portolan
