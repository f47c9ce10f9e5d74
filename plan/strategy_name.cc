#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/parse_quantity.h"
#include "plan/strategy.h"

namespace portolan {

namespace {

std::string set_name(const RecomputeSet& set) {
  for (const char* name : {"none", "selective", "full"}) {
    if (find_recompute(name) == set) {
      return name;
    }
  }
  std::string text;
  for (std::size_t i = 0; i < set.size(); ++i) {
    if (set.test(i)) {
      text += text.empty() ? "" : "+";
      text += kernel_group_name(static_cast<KernelGroup>(i));
    }
  }
  return text;
}

}  // namespace

std::string recompute_name(const Recompute& recompute) {
  if (recompute.is_open()) {
    return "optimal";
  }
  if (recompute.layers_per_group > 1) {
    return fmt::format("uniform:{}", recompute.layers_per_group);
  }
  const std::vector<RecomputeSet>& layers = recompute.per_layer;
  if (layers.empty()) {
    return set_name(recompute.all_layers);
  }
  std::string text;
  for (std::size_t first = 0; first < layers.size();) {
    std::size_t end = first + 1;
    while (end < layers.size() && layers[end] == layers[first]) {
      ++end;
    }
    text += (first == 0 ? "" : ":") + set_name(layers[first]);
    text += end - first > 1 ? fmt::format("*{}", end - first) : "";
    first = end;
  }
  return layers.size() == 1 ? text + ":" : text;
}

std::string recompute_name(const Strategy& strategy) {
  const std::optional<RecomputeBlock> block = find_recompute_block(strategy);
  return block ? fmt::format("block:{}", block->num_layers) : recompute_name(strategy.recompute);
}

namespace {

/// A list that fills a line says little there: the plan has it.
std::string short_recompute(const Strategy& s) {
  constexpr std::size_t kLongest = 40;
  if (s.recompute.optimal) {
    return "optimal";
  }
  std::string name = recompute_name(s);
  return name.size() <= kLongest ? name : "layer-by-layer";
}

}  // namespace

std::string short_name(const Strategy& s) {
  std::string name =
      fmt::format("tp{} pp{} dp{} mb{} {}{} {}", s.tensor_parallel, s.pipeline_parallel, s.data_parallel,
                  s.microbatch_size, schedule_name(s.schedule),
                  s.virtual_stages > 1 ? fmt::format(" v{}", s.virtual_stages) : "", short_recompute(s));
  if (s.context_parallel > 1) {
    name += fmt::format(" cp{}", s.context_parallel);
  }
  if (s.expert_parallel > 1) {
    name += fmt::format(" ep{}", s.expert_parallel);
  }
  if (s.sequence_parallel && s.tensor_parallel > 1) {
    name += " sp";
  }
  if (s.zero_stage != 0) {
    name += fmt::format(" zero{}", s.zero_stage);
    if (s.zero_group != 0) {
      name += fmt::format("/{}", s.zero_group);
    }
  }
  if (s.gradient_aggregation.algorithm != CollectiveAlgorithm::kRing) {
    name += fmt::format(" {}", algorithm_name(s.gradient_aggregation.algorithm));
  }
  if (s.gradient_aggregation.overlap) {
    name += s.gradient_aggregation.bucket.value > 0
                ? fmt::format(" overlap {}", format_bytes(s.gradient_aggregation.bucket))
                : " overlap";
  }
  if (const Compression& compression = s.gradient_aggregation.compression; !compression.is_none()) {
    name += fmt::format(" {}{}", compression_name(compression), compression.is_lossy() ? " (lossy)" : "");
  }
  if (s.offload != Offload::kNone) {
    name += fmt::format(" offload {}", offload_name(s.offload));
  }
  if (s.axis_order != Strategy{}.axis_order) {
    name += " order";
    for (Axis axis : s.axis_order) {
      const bool alone = (axis == Axis::kContext && s.context_parallel == 1) ||
                         (axis == Axis::kExpert && s.expert_parallel == 1);
      if (!alone) {
        name += fmt::format(" {}", axis_name(axis));
      }
    }
  }
  if (!s.node_order.empty()) {
    name += " mapped";
  }
  if (!s.layers_per_stage.empty()) {
    name += fmt::format(" layers={}", fmt::join(s.layers_per_stage, ":"));
  }
  return name;
}

}  // namespace portolan
