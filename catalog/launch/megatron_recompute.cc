#include "catalog/launch/megatron_recompute.h"

#include <fmt/format.h>

#include <algorithm>

#include "catalog/document/node.h"
#include "catalog/launch/megatron_model.h"

namespace portolan {

namespace {

std::size_t group(KernelGroup of) { return static_cast<std::size_t>(of); }

Result<RecomputeChoice> whole_layers(const MegatronArguments& arguments, std::string_view flag,
                                     const std::string& method, std::int64_t layers) {
  if (method == "uniform") {
    return RecomputeChoice(Recompute{.all_layers = recompute_full(),
                                     .per_layer = {},
                                     .layers_per_group = static_cast<std::int32_t>(layers)});
  }
  if (method == "block") {
    return RecomputeChoice(RecomputeBlock{static_cast<std::int32_t>(layers)});
  }
  return argument_error(arguments, flag,
                        fmt::format("\"{}\" is not known (allowed: uniform, block)", printable(method)));
}

Result<RecomputeChoice> modules(const MegatronArguments& arguments, bool has_experts) {
  RecomputeSet set;
  const std::vector<std::string>& names = arguments.settings.recompute_modules;
  if (names.empty()) {
    set = recompute_selective();
  }
  for (const std::string& name : names) {
    if (name == "core_attn") {
      set.set(group(KernelGroup::kAttentionCore));
    } else if (name == "layernorm") {
      set.set(group(KernelGroup::kNorm1)).set(group(KernelGroup::kNorm2));
    } else if (name == "mlp" || (name == "moe" && has_experts)) {
      set.set(group(KernelGroup::kMlp));
    } else {
      return argument_error(
          arguments, "--recompute-modules",
          fmt::format("\"{}\" has no plan (allowed: core_attn, layernorm, mlp, moe)", printable(name)));
    }
  }
  return RecomputeChoice(Recompute{.all_layers = set, .per_layer = {}});
}

}  // namespace

Result<RecomputeChoice> megatron_recompute(const MegatronArguments& arguments, bool has_experts) {
  const MegatronSettings& s = arguments.settings;
  if (s.recompute_granularity == "selective" || (s.recompute_activations && !s.recompute_granularity)) {
    return modules(arguments, has_experts);
  }
  if (s.recompute_granularity == "full") {
    if (!s.recompute_method) {
      return argument_error(arguments, "--recompute-granularity",
                            "full without --recompute-method (allowed: uniform, block)");
    }
    return whole_layers(arguments, "--recompute-method", *s.recompute_method,
                        s.recompute_num_layers.value_or(1));
  }
  if (s.recompute_granularity) {
    return argument_error(
        arguments, "--recompute-granularity",
        fmt::format("\"{}\" is not known (allowed: selective, full)", printable(*s.recompute_granularity)));
  }
  if (s.activations_checkpoint_method || s.checkpoint_activations) {
    return whole_layers(arguments, "--activations-checkpoint-method",
                        s.activations_checkpoint_method.value_or("uniform"),
                        s.activations_checkpoint_num_layers.value_or(1));
  }
  return RecomputeChoice(Recompute{});
}

std::string set_megatron_recompute(const Strategy& strategy, bool has_experts, MegatronSettings& settings) {
  const auto set_whole = [&](std::string_view method, std::int64_t layers) {
    settings.recompute_granularity = "full";
    settings.recompute_method = method;
    settings.recompute_num_layers = layers;
    return std::string();
  };
  if (const auto block = find_recompute_block(strategy)) {
    return set_whole("block", block->num_layers);
  }
  if (!strategy.recompute.per_layer.empty()) {
    return "Megatron-LM recomputes the same in all layers, or the first whole layers of each virtual stage";
  }
  RecomputeSet set = strategy.recompute.all_layers;
  if (set == recompute_full()) {
    return set_whole("uniform", strategy.recompute.layers_per_group);
  }
  if (set.none()) {
    return {};
  }
  MegatronSettings::Texts names;
  const auto take = [&](std::initializer_list<KernelGroup> groups, std::initializer_list<const char*> words) {
    if (std::all_of(groups.begin(), groups.end(), [&](KernelGroup of) { return set.test(group(of)); })) {
      for (const KernelGroup of : groups) {
        set.reset(group(of));
      }
      names.insert(names.end(), words.begin(), words.end());
    }
  };
  take({KernelGroup::kAttentionCore}, {"core_attn"});
  take({KernelGroup::kNorm1, KernelGroup::kNorm2}, {"layernorm"});
  has_experts ? take({KernelGroup::kMlp}, {"mlp", "moe"}) : take({KernelGroup::kMlp}, {"mlp"});
  if (set.any()) {
    return "of a layer's parts --recompute-modules has core_attn, both norms together, mlp and moe";
  }
  settings.recompute_granularity = "selective";
  if (names != MegatronSettings::Texts{"core_attn"}) {
    settings.recompute_modules = names;
  }
  return {};
}

}  // namespace portolan
