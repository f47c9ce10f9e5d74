#include <fmt/format.h>

#include <numeric>

#include "plan/rules/rules.h"

namespace portolan {

/// Stages, virtual stages and the layers of each.
Found find_stage_problem(const Scenario& scenario, const Strategy& s) {
  const TransformerConfig& model = scenario.model;
  const bool interleaved = s.schedule == ScheduleKind::kInterleaved;
  if (s.virtual_stages < 1 || (s.virtual_stages > 1 && !interleaved)) {
    return reject(
        RejectReason::kLayers,
        fmt::format("virtual_stages={} (allowed: 1, more with schedule interleaved)", s.virtual_stages));
  }
  if (interleaved && (s.virtual_stages == 1 || s.pipeline_parallel == 1)) {
    return reject(
        RejectReason::kLayers,
        fmt::format("schedule interleaved with {} virtual stages on pp {} (needed: 2 or more of both)",
                    s.virtual_stages, s.pipeline_parallel));
  }
  const std::int64_t parts = std::int64_t{s.pipeline_parallel} * s.virtual_stages;
  const auto& list = s.layers_per_stage;
  if (list.empty()) {
    return model.num_layers >= parts
               ? Found()
               : reject(RejectReason::kLayers,
                        s.virtual_stages == 1
                            ? fmt::format("{} layers are fewer than pp {} stages", model.num_layers, parts)
                            : fmt::format("{} layers are fewer than pp {} x {} virtual stages",
                                          model.num_layers, s.pipeline_parallel, s.virtual_stages));
  }
  // The first holds the embedding and the last the head: these may do without layers.
  const std::int64_t sum = std::accumulate(list.begin(), list.end(), std::int64_t{0});
  bool empty = false;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const bool end = parts > 1 && (i == 0 || i + 1 == list.size());
    empty |= list[i] < (end ? 0 : 1);
  }
  if (std::ssize(list) != parts || sum != model.num_layers || empty) {
    return reject(
        RejectReason::kLayers,
        fmt::format("a list of {} stages with {} layers in all (needed: {} stages, {} layers, 1 or more "
                    "in each but the first and the last)",
                    list.size(), sum, parts, model.num_layers));
  }
  return std::nullopt;
}

Found find_recompute_problem(const Scenario& scenario, const Strategy& s) {
  const TransformerConfig& model = scenario.model;
  const auto& per_layer = s.recompute.per_layer;
  if (!per_layer.empty() && std::ssize(per_layer) != model.num_layers) {
    return reject(RejectReason::kLayers, fmt::format("recompute lists {} layers, the model has {}",
                                                     per_layer.size(), model.num_layers));
  }
  if (s.recompute.layers_per_group < 1) {
    return reject(RejectReason::kLayers, fmt::format("recompute uniform:{} (allowed: 1 or more layers)",
                                                     s.recompute.layers_per_group));
  }
  if (s.recompute.layers_per_group > 1 &&
      (!per_layer.empty() || s.recompute.all_layers != recompute_full())) {
    return reject(RejectReason::kLayers,
                  fmt::format("groups of {} layers without full recomputation of all layers",
                              s.recompute.layers_per_group));
  }
  return std::nullopt;
}

}  // namespace portolan
