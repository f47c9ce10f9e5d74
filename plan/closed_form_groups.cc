// What the closed form knows of layers that are recomputed together (plan/recompute_groups.h): a group is
// priced and measured as one layer would be, from a miniature that has it alone.
#include <utility>

#include "plan/closed_form.h"
#include "plan/legality.h"
#include "plan/recompute_groups.h"

namespace portolan {

const BlockCosts& ClosedForm::group_blocks(const Strategy& s, const std::vector<LayerKind>& kinds) {
  const RecomputeSet& set = s.recompute.all_layers;
  if (kinds.size() == 1) {
    return blocks(s, set, kinds.front());
  }
  std::pair key(block_key(s, set, kinds.front()), kinds);
  if (const auto found = group_blocks_.find(key); found != group_blocks_.end()) {
    return found->second;
  }
  return group_blocks_.emplace(std::move(key), block_costs(scenario_, s, kinds, prices_, kernel_cost(s)))
      .first->second;
}

std::vector<ClosedForm::LayerRun> ClosedForm::group_runs(const Strategy& s, const LayerRange& layers) {
  std::vector<LayerRun> runs;
  std::vector<LayerKind> kinds;
  for (std::int32_t i = 0; i < layers.count; ++i) {
    kinds.push_back(layer_kind(scenario_.model, layers.first + i));
    if (!ends_group(i, layers.count, s.recompute.layers_per_group)) {
      continue;
    }
    const BlockCosts* costs = &group_blocks(s, kinds);
    if (!runs.empty() && runs.back().costs == costs) {
      ++runs.back().count;
    } else {
      runs.push_back({1, costs});
    }
    kinds.clear();
  }
  return runs;
}

void ClosedForm::add_grouped_layers(const LayerRun& run, std::vector<BlockRun>& blocks) {
  for (std::int32_t group = 0; group < run.count; ++group) {
    Seconds ahead;
    for (const GroupedLayer& layer : run.costs->grouped) {
      const bool last = &layer == &run.costs->grouped.back();
      const Seconds recompute = last ? Seconds(0) : layer.whole_recompute;
      ahead += recompute;
      blocks.push_back({.time = layer.time,
                        .parameters = layer.parameters,
                        .num_tensors = layer.num_tensors,
                        .updated = layer.parameters,
                        .expert_parameters = layer.expert_parameters,
                        .ends_group = last,
                        .recompute_ahead = recompute,
                        .others_ahead = last ? ahead : Seconds(0)});
    }
  }
}

}  // namespace portolan
