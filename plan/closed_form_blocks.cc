// What the closed form knows of the blocks of a chunk: embedding, layers, head, in runs of equal ones.
#include <algorithm>

#include "plan/closed_form.h"
#include "plan/legality.h"

namespace portolan {

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

void ClosedForm::add_bucket_blocks(const Strategy& s, const std::vector<BlockRun>& blocks,
                                   StageParameters& parameters) const {
  const std::int64_t width = gradient_width(scenario_.software, s.precision);
  const bool split = splits_backward(s.schedule);
  std::vector<BucketBlocks>& forward = parameters.forward_blocks;
  std::vector<BucketBlocks>& backward = parameters.backward_blocks;
  for (const BlockRun& run : blocks) {
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
}

}  // namespace portolan
