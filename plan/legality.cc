#include "plan/legality.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/parse_quantity.h"
#include "plan/schedule.h"

namespace portolan {

namespace {

using Found = std::optional<Rejection>;

Rejection reject(RejectReason reason, std::string message) { return {reason, std::move(message)}; }

Rejection not_available(const std::string& what, std::string_view allowed) {
  return reject(RejectReason::kNotAvailable,
                fmt::format("{} is not available yet (allowed: {})", what, allowed));
}

/// How gradients are summed.
Found find_aggregation_problem(const Strategy& s) {
  const GradientAggregation& sums = s.gradient_aggregation;
  if (sums.compression != "none") {
    return not_available(fmt::format("compression {}", sums.compression), "none");
  }
  if (sums.bucket.value > 0 && !sums.overlap) {
    return reject(
        RejectReason::kNotAvailable,
        fmt::format("bucket of {} with overlap=false, which sums a stage's gradients at once (allowed: "
                    "bucket=0, overlap=true)",
                    format_bytes(sums.bucket)));
  }
  if (sums.overlap && s.zero_stage >= 2) {
    return reject(RejectReason::kNotAvailable,
                  fmt::format("overlap with ZeRO stage {}, which reduces gradients block by block in every "
                              "backward (allowed: overlap=false, zero=0, zero=1)",
                              s.zero_stage));
  }
  if (sums.algorithm == CollectiveAlgorithm::kTree && num_data_ranks(s) > 1 && !has_all_reduces(s)) {
    return reject(RejectReason::kNotAvailable,
                  fmt::format("aggregation tree with ZeRO stage {}, which reduces and scatters gradients, "
                              "and of that there are no trees (allowed: ring, hierarchical; zero=0; "
                              "zero_group below the {} data-parallel ranks)",
                              s.zero_stage, num_data_ranks(s)));
  }
  return std::nullopt;
}

Found find_unavailable(const Scenario& scenario, const Strategy& s) {
  if (s.context_parallel > 1 && !scenario.software.flash_attention.value) {
    return reject(RejectReason::kNotAvailable,
                  fmt::format("context parallelism needs flash attention (software profile {} has none)",
                              scenario.software.name));
  }
  if (s.zero_stage >= 2 && splits_backward(s.schedule)) {
    return not_available(
        fmt::format("ZeRO stage {} with schedule {}", s.zero_stage, schedule_name(s.schedule)),
        "gpipe, 1f1b, interleaved");
  }
  if (Found found = find_aggregation_problem(s)) {
    return found;
  }
  if (offloads_activations(s.offload) && s.recompute.layers_per_group > 1) {
    return not_available(fmt::format("offload {} with recompute uniform:{}", offload_name(s.offload),
                                     s.recompute.layers_per_group),
                         "uniform:1, or offload of none or the optimizer");
  }
  if (s.offload != Offload::kNone && !scenario.hardware.pcie) {
    return reject(RejectReason::kNotAvailable,
                  fmt::format("offload {} needs the figures of PCIe (hardware {} has none)",
                              offload_name(s.offload), scenario.hardware.name));
  }
  return std::nullopt;
}

/// An expert-parallel group is a part of the data-parallel one: its ranks share all but the experts.
Found find_expert_problem(const TransformerConfig& model, const Strategy& s) {
  const std::int32_t ep = s.expert_parallel;
  if (ep == 1) {
    return std::nullopt;
  }
  if (!model.experts) {
    return reject(RejectReason::kDegrees,
                  fmt::format("ep={}: {} has no experts (allowed: 1)", ep, model.name));
  }
  if (model.experts->num_experts % ep != 0) {
    return reject(RejectReason::kHeads,
                  fmt::format("{} experts are not divisible by ep {}", model.experts->num_experts, ep));
  }
  if (s.data_parallel % ep != 0) {
    return reject(RejectReason::kDegrees,
                  fmt::format("dp {} is not divisible by ep {}", s.data_parallel, ep));
  }
  if (s.zero_group != 0) {
    return not_available(fmt::format("zero_group={} with ep {}", s.zero_group, ep), "0");
  }
  return std::nullopt;
}

Found find_degree_problem(const Scenario& scenario, const Strategy& s) {
  for (const auto& [word, degree] : {std::pair{"tp", s.tensor_parallel},
                                     {"pp", s.pipeline_parallel},
                                     {"dp", s.data_parallel},
                                     {"cp", s.context_parallel},
                                     {"ep", s.expert_parallel}}) {
    if (degree < 1) {
      return reject(RejectReason::kDegrees, fmt::format("{}={} (allowed: 1 or more)", word, degree));
    }
  }
  for (const auto& [word, degree] : {std::pair{"tp", s.tensor_parallel},
                                     {"pp", s.pipeline_parallel},
                                     {"dp", s.data_parallel},
                                     {"cp", s.context_parallel}}) {
    if (scenario.num_gpus % degree != 0) {
      return reject(RejectReason::kDegrees,
                    fmt::format("{} GPUs are not divisible by {} {}", scenario.num_gpus, word, degree));
    }
  }
  // As a real number: degrees of a user's choosing may overflow 64 bits.
  const double ranks =
      static_cast<double>(s.tensor_parallel) * s.pipeline_parallel * s.data_parallel * s.context_parallel;
  const auto gpus = static_cast<double>(scenario.num_gpus);
  if (ranks != gpus) {
    return reject(
        RejectReason::kDegrees,
        fmt::format("tp {} x pp {} x dp {}{} = {:.0f} ranks {} {} GPUs", s.tensor_parallel,
                    s.pipeline_parallel, s.data_parallel,
                    s.context_parallel > 1 ? fmt::format(" x cp {}", s.context_parallel) : "", ranks,
                    ranks > gpus ? "exceed the" : "leave idle some of the", scenario.num_gpus));
  }
  if (s.zero_stage < 0 || s.zero_stage > 3) {
    return reject(RejectReason::kDegrees, fmt::format("zero={} (allowed: 0 to 3)", s.zero_stage));
  }
  if (s.zero_group < 0 || (s.zero_group > 0 && num_data_ranks(s) % s.zero_group != 0)) {
    return reject(
        RejectReason::kDegrees,
        fmt::format("zero_group={} (allowed: 0, the whole data-parallel group, or a divisor of dp {}{})",
                    s.zero_group, s.data_parallel,
                    s.context_parallel > 1 ? fmt::format(" x cp {}", s.context_parallel) : ""));
  }
  if (Found found = find_expert_problem(scenario.model, s)) {
    return found;
  }
  for (const Precision precision : {s.precision, wide_precision(s.precision)}) {
    if (!scenario.hardware.device.peak.contains(precision)) {
      return reject(RejectReason::kNotAvailable,
                    fmt::format("hardware {} names no peak rate for {}", scenario.hardware.name,
                                precision_name(precision)));
    }
  }
  return std::nullopt;
}

/// Stages, virtual stages and the layers of each.
Found find_layers_problem(const TransformerConfig& model, const Strategy& s) {
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
        fmt::format("layers: {} stages with {} layers in all (needed: {} stages, {} layers, 1 or more "
                    "in each but the first and the last)",
                    list.size(), sum, parts, model.num_layers));
  }
  return std::nullopt;
}

/// How tokens of a sequence are divided: over context-parallel ranks in two parts each, so that all have as
/// much of the causal triangle; then over tensor-parallel ranks.
Found find_sequence_problem(const Scenario& scenario, const Strategy& s) {
  const std::int64_t cp = s.context_parallel;
  const std::int64_t tp = s.sequence_parallel ? s.tensor_parallel : 1;
  if (cp > 1 && scenario.sequence_length % (2 * cp * tp) != 0) {
    return reject(RejectReason::kHeads,
                  fmt::format("a sequence of {} tokens is not divisible by 2 x cp {}{} (causal zigzag)",
                              scenario.sequence_length, cp, tp > 1 ? fmt::format(" x tp {}", tp) : ""));
  }
  if (scenario.sequence_length % tp != 0) {
    return reject(RejectReason::kHeads,
                  fmt::format("a sequence of {} tokens is not divisible by tp {} (sequence parallelism)",
                              scenario.sequence_length, tp));
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
  if (model.experts) {
    for (const auto& [what, width] : {std::pair{"expert", model.experts->expert_ffn_size},
                                      {"shared expert", model.experts->shared_ffn_size}}) {
      if (width % tp != 0) {
        return reject(RejectReason::kHeads,
                      fmt::format("{} width {} is not divisible by tp {}", what, width, tp));
      }
    }
  }
  if (Found found = find_sequence_problem(scenario, s)) {
    return found;
  }
  if (Found found = find_layers_problem(model, s)) {
    return found;
  }
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

/// Products with fp8 factors need sizes that 16 divides (NVIDIA, Transformer Engine user guide, "Using FP8").
/// Precondition: the degrees divide what they divide.
Found find_fp8_problem(const Scenario& scenario, const Strategy& s) {
  if (s.precision != Precision::kFp8) {
    return std::nullopt;
  }
  const TransformerConfig& model = scenario.model;
  const std::int64_t tp = s.tensor_parallel;
  const std::int64_t tokens = s.microbatch_size * scenario.sequence_length / s.context_parallel;
  const LatentAttention latent = model.latent.value_or(LatentAttention{});
  const std::int64_t down = latent.kv_lora_rank + latent.qk_rope_head_dim;
  const std::int64_t up = model.num_heads / tp * (latent.qk_nope_head_dim + latent.v_head_dim);
  for (const auto& [what, size] :
       {std::pair{"tokens of a rank's microbatch", tokens},
        {"latent width of queries", latent.q_lora_rank},
        {"latent width of keys and values", latent.kv_lora_rank},
        {"width of the product down to keys and values", down},
        {"width of a rank's product up to keys and values", up},
        {"hidden size", model.hidden_size},
        {"width of a rank's queries, keys and values",
         (model.latent ? model.num_heads * model.head_dim() : model.qkv_size()) / tp},
        {"width of a rank's heads", model.context_size() / tp},
        {"a rank's MLP width", model.ffn_size / tp},
        {"a rank's expert width", model.experts ? model.experts->expert_ffn_size / tp : 0},
        {"a rank's shared expert width", model.experts ? model.experts->shared_ffn_size / tp : 0}}) {
    if (size % 16 != 0) {
      return reject(RejectReason::kHeads,
                    fmt::format("{} {} is not divisible by 16 (precision fp8)", what, size));
    }
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
  const std::int64_t microbatches = scenario.global_batch / dp / s.microbatch_size;
  if (s.schedule == ScheduleKind::kInterleaved && microbatches % s.pipeline_parallel != 0) {
    return reject(RejectReason::kBatch,
                  fmt::format("{} microbatches are not a multiple of pp {} (schedule interleaved)",
                              microbatches, s.pipeline_parallel));
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
  if (Found found = find_unavailable(scenario, strategy)) {
    return found;
  }
  if (Found found = find_degree_problem(scenario, strategy)) {
    return found;
  }
  if (Found found = find_model_problem(scenario, strategy)) {
    return found;
  }
  if (Found found = find_batch_problem(scenario, strategy)) {
    return found;
  }
  return find_fp8_problem(scenario, strategy);
}

Precision wide_precision(Precision precision) {
  return precision == Precision::kFp8 ? Precision::kBf16 : precision;
}

std::int32_t num_microbatches(const Scenario& scenario, const Strategy& strategy) {
  return static_cast<std::int32_t>(scenario.global_batch / strategy.data_parallel / strategy.microbatch_size);
}

std::vector<std::int32_t> layers_of_stages(const Scenario& scenario, const Strategy& strategy) {
  return layers_of_stages(scenario.model.num_layers, strategy);
}

std::int64_t compute_bytes(Precision precision) {
  switch (precision) {
    case Precision::kFp32:
    case Precision::kTf32:
      return 4;
    case Precision::kFp16:
    case Precision::kBf16:
    case Precision::kFp8:  // of the layers' linear products alone
      return 2;
  }
  return 4;
}

std::int32_t num_data_ranks(const Strategy& s) { return s.data_parallel * s.context_parallel; }
std::int32_t zero_sharers(const Strategy& s) { return s.zero_group == 0 ? num_data_ranks(s) : s.zero_group; }

std::int32_t num_expert_data_ranks(const Strategy& s) { return num_data_ranks(s) / s.expert_parallel; }
std::int32_t expert_sharers(const Strategy& s) { return zero_sharers(s) / s.expert_parallel; }

bool divides_gradients(const Strategy& s) { return s.zero_stage >= 2 && zero_sharers(s) > 1; }
bool divides_parameters(const Strategy& s) { return s.zero_stage >= 3 && zero_sharers(s) > 1; }

bool has_all_reduces(const Strategy& s) {
  return num_data_ranks(s) > (s.zero_stage == 0 ? 1 : zero_sharers(s));
}

bool sums_beside_backward(const Strategy& s) {
  return s.gradient_aggregation.overlap && s.zero_stage <= 1 && num_data_ranks(s) > 1;
}

bool gathers_beside_forward(const Scenario& scenario, const Strategy& s) {
  return s.gradient_aggregation.overlap && s.zero_stage == 1 && zero_sharers(s) > 1 &&
         scenario.software.parameter_gather_overlap.value;
}

std::int64_t gradient_width(const SoftwareProfile& software, Precision precision) {
  const std::int64_t width = software.gradient_bytes.value;
  return width == 0 ? compute_bytes(precision) : width;
}

BoundaryBytes boundary_bytes(const Scenario& scenario, const Strategy& s) {
  const std::int64_t shards = s.sequence_parallel ? s.tensor_parallel : 1;
  const Bytes held(s.microbatch_size * scenario.sequence_length / s.context_parallel *
                   scenario.model.hidden_size * compute_bytes(s.precision) / shards);
  const bool scatters = scenario.software.scatter_gather_pipeline.value && shards == 1;
  return {.held = held, .sent = scatters ? Bytes(held.value / s.tensor_parallel) : held};
}

BlockOptions block_options(const Scenario& scenario, const Strategy& strategy) {
  const SoftwareProfile& software = scenario.software;
  const std::int64_t element = compute_bytes(strategy.precision);
  const bool reduces_each_backward = divides_gradients(strategy);
  return {.microbatch_size = strategy.microbatch_size,
          .sequence_length = scenario.sequence_length,
          .tensor_parallel = strategy.tensor_parallel,
          .expert_parallel = strategy.expert_parallel,
          .context_parallel = strategy.context_parallel,
          .sequence_parallel = strategy.sequence_parallel,
          .split_backward = splits_backward(strategy.schedule),
          .overlap_tensor = software.tensor_overlap.value,
          .vocab_padding = software.vocab_padding.value,
          .fp8_linear = strategy.precision == Precision::kFp8,
          .compute_bytes = element,
          .gradient_bytes = reduces_each_backward ? element : gradient_width(software, strategy.precision),
          .accumulate_gradients = !reduces_each_backward,
          .dropout = software.dropout.value,
          .logits_in_fp32 = software.logits_in_fp32.value,
          .fused_gradient_accumulation = software.fused_gradient_accumulation.value,
          .fused_softmax = software.fused_softmax.value,
          .fused_norms = software.fused_norms.value,
          .fused_activation = software.fused_activation.value,
          .fused_dropout_add = software.fused_dropout_add.value,
          .fused_rotary = software.fused_rotary.value,
          .fused_residual_gradient = software.fused_residual_gradient.value,
          .fused_logits_conversion = software.fused_logits_conversion.value,
          .cross_entropy_passes = software.cross_entropy_passes.value,
          .flash_attention = software.flash_attention.value,
          .flash_skips_masked = software.flash_skips_masked.value};
}

}  // namespace portolan
