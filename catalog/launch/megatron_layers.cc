#include "catalog/launch/megatron_layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "catalog/launch/megatron_model.h"
#include "catalog/pipeline_layout.h"

namespace portolan {

namespace {

constexpr std::string_view kLayersOfVirtualStage = "--num-layers-per-virtual-pipeline-stage";
constexpr std::string_view kVirtualStages = "--num-virtual-stages-per-pipeline-rank";
constexpr std::string_view kLayout = "--pipeline-model-parallel-layout";
constexpr std::string_view kFirstStage = "--decoder-first-pipeline-num-layers";
constexpr std::string_view kLastStage = "--decoder-last-pipeline-num-layers";
constexpr std::int64_t kMostVirtualStages = 1000;

class LayerReader {
 public:
  LayerReader(const MegatronArguments& arguments, std::int64_t num_layers, Strategy& strategy)
      : arguments_(arguments), s_(arguments.settings), num_layers_(num_layers), strategy_(strategy) {}

  Result<void> run() {
    std::vector<std::string_view> given;
    for (const std::string_view flag : {kLayersOfVirtualStage, kVirtualStages, kLayout}) {
      if (arguments_.line_of(flag) > 0) {
        given.push_back(flag);
      }
    }
    if (given.size() > 1) {
      return argument_error(arguments_, given[1],
                            fmt::format("beside {} (allowed: one of the two)", given[0]));
    }
    PORTOLAN_CHECK_OK(s_.pipeline_model_parallel_layout ? read_layout() : read_counts());
    strategy_.schedule = strategy_.virtual_stages > 1 ? ScheduleKind::kInterleaved : ScheduleKind::kOneFOneB;
    std::vector<std::int32_t> listed = std::exchange(strategy_.layers_per_stage, {});
    if (listed != layers_of_stages(num_layers_, strategy_)) {
      strategy_.layers_per_stage = std::move(listed);
    }
    return {};
  }

 private:
  std::int64_t stages() const { return strategy_.pipeline_parallel; }

  Result<void> read_layout() {
    Result<std::vector<std::int32_t>> layers = parse_pipeline_layout(*s_.pipeline_model_parallel_layout);
    if (!layers) {
      return argument_error(arguments_, kLayout, layers.error().message);
    }
    const auto sum = std::accumulate(layers->begin(), layers->end(), std::int64_t{0});
    if (std::ssize(*layers) % stages() != 0 || sum != num_layers_) {
      return argument_error(arguments_, kLayout,
                            fmt::format("has {} stages with {} layers (needed: a multiple of the {} pipeline "
                                        "stages, {} layers)",
                                        layers->size(), sum, stages(), num_layers_));
    }
    if (stages() == 1 && layers->size() > 1) {
      return argument_error(arguments_, kLayout,
                            "has several stages on one pipeline stage (needed: two or more)");
    }
    strategy_.virtual_stages = static_cast<std::int32_t>(std::ssize(*layers) / stages());
    strategy_.layers_per_stage = std::move(*layers);
    return {};
  }

  Result<void> read_counts() {
    if (s_.decoder_first_pipeline_num_layers || s_.decoder_last_pipeline_num_layers) {
      return read_ends();
    }
    // The embedding and the loss stand for a layer each where they are accounted for: in DeepSpeed's
    // pipelines where the modules that are counted have "embedding" in their names, as both ends of the model
    // have.
    const bool counts_ends = s_.pp_partition_method.value_or("").find("embedding") != std::string::npos;
    const std::int64_t first = s_.account_for_embedding_in_pipeline_split || counts_ends ? 1 : 0;
    const std::int64_t last = s_.account_for_loss_in_pipeline_split || counts_ends ? 1 : 0;
    const std::int64_t all = num_layers_ + first + last;
    if (all % stages() != 0) {
      return argument_error(arguments_, "--pipeline-model-parallel-size",
                            fmt::format("{} stages do not divide {} layers{}", stages(), num_layers_,
                                        first + last > 0 ? " with embedding and loss" : ""));
    }
    PORTOLAN_CHECK_OK(read_virtual_stages(all / stages()));
    const std::int64_t chunk = all / stages() / strategy_.virtual_stages;
    std::vector<std::int32_t> layers(static_cast<std::size_t>(stages() * strategy_.virtual_stages),
                                     static_cast<std::int32_t>(chunk));
    layers.front() -= static_cast<std::int32_t>(first);
    layers.back() -= static_cast<std::int32_t>(last);
    if (layers.front() < 0 || layers.back() < 0) {
      return argument_error(arguments_, "--pipeline-model-parallel-size",
                            fmt::format("{} stages are more than {} layers", stages(), num_layers_));
    }
    strategy_.layers_per_stage = std::move(layers);
    return {};
  }

  Result<void> read_virtual_stages(std::int64_t layers_of_rank) {
    std::int64_t count = s_.num_virtual_stages_per_pipeline_rank.value_or(1);
    std::string_view flag = kVirtualStages;
    if (s_.num_layers_per_virtual_pipeline_stage) {
      flag = kLayersOfVirtualStage;
      const std::int64_t chunk = *s_.num_layers_per_virtual_pipeline_stage;
      count = layers_of_rank % chunk == 0 ? layers_of_rank / chunk : 0;
    }
    if (count < 1 || count > kMostVirtualStages || layers_of_rank % count != 0) {
      return argument_error(arguments_, flag,
                            fmt::format("does not divide the {} layers of a stage", layers_of_rank));
    }
    if (count > 1 && stages() == 1) {
      return argument_error(arguments_, flag, "on one pipeline stage (needed: two or more)");
    }
    strategy_.virtual_stages = static_cast<std::int32_t>(count);
    return {};
  }

  /// The first or last stage, or both, by their own numbers of layers; the others evenly.
  Result<void> read_ends() {
    const auto first = s_.decoder_first_pipeline_num_layers;
    const auto last = s_.decoder_last_pipeline_num_layers;
    const std::string_view flag = first ? kFirstStage : kLastStage;
    const std::int64_t between = stages() - (first ? 1 : 0) - (last ? 1 : 0);
    const std::int64_t rest = num_layers_ - first.value_or(0) - last.value_or(0);
    if (between < 0 || rest < 0 || (between == 0 ? rest != 0 : rest % between != 0) || rest < between) {
      return argument_error(
          arguments_, flag,
          fmt::format("leaves {} layers for {} stages (needed: the same number for each)", rest, between));
    }
    if (s_.num_layers_per_virtual_pipeline_stage) {
      return argument_error(arguments_, kLayersOfVirtualStage,
                            fmt::format("beside {} (allowed: {})", flag, kVirtualStages));
    }
    std::vector<std::int64_t> of_stage(static_cast<std::size_t>(stages()), between > 0 ? rest / between : 0);
    of_stage.front() = first.value_or(of_stage.front());
    of_stage.back() = last.value_or(of_stage.back());
    const std::int64_t chunks = s_.num_virtual_stages_per_pipeline_rank.value_or(1);
    for (std::int64_t layers : of_stage) {
      if (chunks > kMostVirtualStages || layers % chunks != 0) {
        return argument_error(arguments_, kVirtualStages,
                              fmt::format("does not divide the {} layers of a stage", layers));
      }
    }
    strategy_.virtual_stages = static_cast<std::int32_t>(chunks);
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
      for (const std::int64_t layers : of_stage) {
        strategy_.layers_per_stage.push_back(static_cast<std::int32_t>(layers / chunks));
      }
    }
    return {};
  }

  const MegatronArguments& arguments_;
  const MegatronSettings& s_;
  std::int64_t num_layers_;
  Strategy& strategy_;
};

}  // namespace

Result<void> read_megatron_layers(const MegatronArguments& arguments, std::int64_t num_layers,
                                  Strategy& strategy) {
  return LayerReader(arguments, num_layers, strategy).run();
}

}  // namespace portolan
