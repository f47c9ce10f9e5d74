#include "plan/legality.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace portolan {

namespace {

using Found = std::optional<Rejection>;

Rejection reject(RejectReason reason, std::string message) { return {reason, std::move(message)}; }

Found find_unavailable(const Strategy& s) {
  const auto unavailable = [](std::string what) {
    return reject(RejectReason::kNotAvailable, std::move(what) + " is not available yet");
  };
  if (s.context_parallel != 1) {
    return unavailable(fmt::format("context parallelism (cp={}; allowed: 1)", s.context_parallel));
  }
  if (s.expert_parallel != 1) {
    return unavailable(fmt::format("expert parallelism (ep={}; allowed: 1)", s.expert_parallel));
  }
  if (s.virtual_stages != 1) {
    return unavailable(fmt::format("interleaving (virtual_stages={}; allowed: 1)", s.virtual_stages));
  }
  if (s.sequence_parallel) {
    return unavailable("sequence parallelism (allowed: sequence_parallel=false)");
  }
  if (s.schedule != ScheduleKind::kGPipe && s.schedule != ScheduleKind::kOneFOneB) {
    return unavailable(fmt::format("schedule {} (allowed: gpipe, 1f1b)", schedule_name(s.schedule)));
  }
  if (s.zero_stage < 0 || s.zero_stage > 1) {
    return unavailable(fmt::format("ZeRO stage {} (allowed: 0, 1)", s.zero_stage));
  }
  if (s.zero_group != 0) {
    return unavailable(
        fmt::format("a ZeRO group of {} (allowed: 0, the whole data-parallel group)", s.zero_group));
  }
  if (s.gradient_aggregation != GradientAggregation{}) {
    return unavailable("gradient aggregation other than one ring all-reduce a stage after backward");
  }
  if (s.offload != "none") {
    return unavailable(fmt::format("offload {} (allowed: none)", s.offload));
  }
  if (s.precision == Precision::kFp8) {
    return unavailable("precision fp8 (allowed: fp32, tf32, fp16, bf16)");
  }
  return std::nullopt;
}

Found find_degree_problem(const Scenario& scenario, const Strategy& s) {
  for (const auto& [word, degree] :
       {std::pair{"tp", s.tensor_parallel}, {"pp", s.pipeline_parallel}, {"dp", s.data_parallel}}) {
    if (degree < 1) {
      return reject(RejectReason::kDegrees, fmt::format("{}={} (allowed: 1 or more)", word, degree));
    }
  }
  for (const auto& [word, degree] :
       {std::pair{"tp", s.tensor_parallel}, {"pp", s.pipeline_parallel}, {"dp", s.data_parallel}}) {
    if (scenario.num_gpus % degree != 0) {
      return reject(RejectReason::kDegrees,
                    fmt::format("{} GPUs are not divisible by {} {}", scenario.num_gpus, word, degree));
    }
  }
  // As a real number: three degrees of a user's choosing may overflow 64 bits.
  const double ranks = static_cast<double>(s.tensor_parallel) * s.pipeline_parallel * s.data_parallel;
  const auto gpus = static_cast<double>(scenario.num_gpus);
  if (ranks != gpus) {
    return reject(RejectReason::kDegrees,
                  fmt::format("tp {} x pp {} x dp {} = {:.0f} ranks {} {} GPUs", s.tensor_parallel,
                              s.pipeline_parallel, s.data_parallel, ranks,
                              ranks > gpus ? "exceed the" : "leave idle some of the", scenario.num_gpus));
  }
  if (!scenario.hardware.device.peak.contains(s.precision)) {
    return reject(RejectReason::kNotAvailable,
                  fmt::format("hardware {} names no peak rate for {}", scenario.hardware.name,
                              precision_name(s.precision)));
  }
  return std::nullopt;
}

Found find_model_problem(const Scenario& scenario, const Strategy& s) {
  const TransformerConfig& model = scenario.model;
  const std::int64_t tp = s.tensor_parallel;
  if (model.num_heads % tp != 0) {
    return reject(RejectReason::kHeads,
                  fmt::format("{} attention heads are not divisible by tp {}", model.num_heads, tp));
  }
  if (model.num_kv_heads % tp != 0) {
    return reject(RejectReason::kHeads,
                  fmt::format("{} key-value heads are not divisible by tp {}", model.num_kv_heads, tp));
  }
  if (model.ffn_size % tp != 0) {
    return reject(RejectReason::kHeads,
                  fmt::format("MLP width {} is not divisible by tp {}", model.ffn_size, tp));
  }
  if (model.num_layers < s.pipeline_parallel) {
    return reject(RejectReason::kLayers, fmt::format("{} layers are fewer than pp {} stages",
                                                     model.num_layers, s.pipeline_parallel));
  }
  const auto& list = s.layers_per_stage;
  if (!list.empty()) {
    const std::int64_t sum = std::accumulate(list.begin(), list.end(), std::int64_t{0});
    if (std::ssize(list) != s.pipeline_parallel || sum != model.num_layers ||
        *std::min_element(list.begin(), list.end()) < 1) {
      return reject(
          RejectReason::kLayers,
          fmt::format(
              "layers: {} stages with {} layers in all (needed: pp {} stages of 1 or more, {} layers)",
              list.size(), sum, s.pipeline_parallel, model.num_layers));
    }
  }
  const auto& per_layer = s.recompute.per_layer;
  if (!per_layer.empty() && std::ssize(per_layer) != model.num_layers) {
    return reject(RejectReason::kLayers, fmt::format("recompute lists {} layers, the model has {}",
                                                     per_layer.size(), model.num_layers));
  }
  return std::nullopt;
}

Found find_batch_problem(const Scenario& scenario, const Strategy& s) {
  if (s.microbatch_size < 1) {
    return reject(RejectReason::kBatch, fmt::format("microbatch={} (allowed: 1 or more)", s.microbatch_size));
  }
  const std::int64_t dp = s.data_parallel;
  if (scenario.global_batch % dp != 0 || scenario.global_batch / dp % s.microbatch_size != 0) {
    return reject(RejectReason::kBatch,
                  fmt::format("global batch {} is not divisible by dp {} x microbatch {}",
                              scenario.global_batch, dp, s.microbatch_size));
  }
  return std::nullopt;
}

}  // namespace

std::string_view reject_reason_name(RejectReason reason) {
  constexpr std::array<std::string_view, kNumRejectReasons> kNames = {
      "not_available", "degrees", "heads", "layers", "batch", "memory", "dominated"};
  return kNames[static_cast<std::size_t>(reason)];
}

std::optional<Rejection> find_rejection(const Scenario& scenario, const Strategy& strategy) {
  if (Found found = find_unavailable(strategy)) {
    return found;
  }
  if (Found found = find_degree_problem(scenario, strategy)) {
    return found;
  }
  if (Found found = find_model_problem(scenario, strategy)) {
    return found;
  }
  return find_batch_problem(scenario, strategy);
}

std::int32_t num_microbatches(const Scenario& scenario, const Strategy& strategy) {
  return static_cast<std::int32_t>(scenario.global_batch / strategy.data_parallel / strategy.microbatch_size);
}

std::vector<std::int32_t> layers_of_stages(const Scenario& scenario, const Strategy& strategy) {
  if (!strategy.layers_per_stage.empty()) {
    return strategy.layers_per_stage;
  }
  const auto stages = static_cast<std::size_t>(strategy.pipeline_parallel);
  const auto layers = static_cast<std::size_t>(scenario.model.num_layers);
  std::vector<std::int32_t> list(stages, static_cast<std::int32_t>(layers / stages));
  const std::size_t longer = layers % stages;
  const std::size_t first = (stages - longer + 1) / 2;
  for (std::size_t i = 0; i < longer; ++i) {
    ++list[first + i];
  }
  return list;
}

std::int64_t compute_bytes(Precision precision) {
  switch (precision) {
    case Precision::kFp32:
    case Precision::kTf32:
      return 4;
    case Precision::kFp16:
    case Precision::kBf16:
      return 2;
    case Precision::kFp8:
      return 1;
  }
  return 4;
}

BlockOptions block_options(const Scenario& scenario, const Strategy& strategy) {
  const SoftwareProfile& software = scenario.software;
  const std::int64_t element = compute_bytes(strategy.precision);
  return {.microbatch_size = strategy.microbatch_size,
          .sequence_length = scenario.sequence_length,
          .tensor_parallel = strategy.tensor_parallel,
          .vocab_padding = software.vocab_padding.value,
          .compute_bytes = element,
          .gradient_bytes = software.gradient_bytes.value == 0 ? element : software.gradient_bytes.value,
          .dropout = software.dropout.value,
          .logits_in_fp32 = software.logits_in_fp32.value,
          .fused_gradient_accumulation = software.fused_gradient_accumulation.value,
          .fused_softmax = software.fused_softmax.value};
}

}  // namespace portolan
