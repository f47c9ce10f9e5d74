#include "study/published_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "base/parse_quantity.h"
#include "catalog/hardware_yaml.h"
#include "catalog/measured/csv_words.h"
#include "catalog/software_yaml.h"
#include "catalog/words.h"
#include "model/transformer.h"
#include "plan/cost.h"
#include "plan/legality.h"
#include "plan/search.h"

namespace portolan {

namespace {

constexpr std::array<std::string_view, 3> kEveryOther = {"every", "other", "layer"};

bool is_every_other_layer(const std::string& word) {
  const std::vector<std::string> words = words_of(word);
  const auto found = std::search(words.begin(), words.end(), kEveryOther.begin(), kEveryOther.end());
  return found != words.end() && !has_any(words, {"op"});
}

/// Makes the case of one row, field by field; the first thing that stands in the way is the reason to skip.
class CaseBuilder {
 public:
  CaseBuilder(const TrainingRow& row, Hardware hardware, SoftwareProfile software) : row_(row) {
    case_.scenario.name = row.id;
    case_.scenario.hardware = std::move(hardware);
    case_.scenario.software = std::move(software);
  }

  void assume(std::string field, std::string value) {
    case_.assumed.push_back({std::move(field), std::move(value)});
  }

  std::variant<PublishedCase, SkippedRow> build() {
    set_sizes();
    set_model();
    set_cluster();
    set_software();
    set_strategies();
    if (!reason_.empty()) {
      return SkippedRow{reason_};
    }
    return std::move(case_);
  }

 private:
  void skip(std::string reason) {
    if (reason_.empty()) {
      reason_ = std::move(reason);
    }
  }
  template <typename T>
  T needed(const std::optional<T>& value, std::string_view name) {
    if (!value) {
      skip(fmt::format("{}: not published", name));
    }
    return value.value_or(T{1});
  }
  template <typename T>
  T or_assumed(const std::optional<T>& value, std::string_view name, T otherwise) {
    if (!value) {
      assume(std::string(name), fmt::format("{}", otherwise));
    }
    return value.value_or(otherwise);
  }

  void set_sizes() {
    Scenario& s = case_.scenario;
    s.num_gpus = needed(row_.num_gpus, "num_gpus");
    s.sequence_length = needed(row_.sequence_length, "seq_len");
    if (row_.global_batch) {
      s.global_batch = *row_.global_batch;
    } else if (row_.microbatch && row_.gradient_accumulation && row_.data_parallel) {
      s.global_batch = *row_.microbatch * *row_.gradient_accumulation * *row_.data_parallel;
    } else {
      skip("global_batch: not published");
    }
    s.precision = row_.precision.value_or(s.software.usual.precision.value);
    if (!row_.precision) {
      assume("precision", std::string(precision_name(s.precision)));
    }
  }

  void set_model() {
    TransformerConfig& m = case_.scenario.model;
    m.name = row_.model.empty() ? row_.id : row_.model;
    m.num_layers = needed(row_.layers, "layers");
    m.hidden_size = needed(row_.hidden, "hidden");
    m.num_heads = needed(row_.heads, "heads");
    m.num_kv_heads = or_assumed(row_.kv_heads, "kv_heads", m.num_heads);
    m.ffn_size = or_assumed(row_.ffn, "ffn", 4 * m.hidden_size);
    m.vocab_size = or_assumed(row_.vocab, "vocab", case_.scenario.software.usual.vocab_size.value);
    m.max_positions = case_.scenario.sequence_length;
    if (row_.num_experts.value_or(1) > 1) {
      m.experts = MixtureOfExperts{.num_experts = *row_.num_experts,
                                   .experts_per_token = needed(row_.experts_per_token, "experts_per_token"),
                                   .expert_ffn_size = needed(row_.expert_ffn, "expert_ffn")};
    }
    set_kind(m);
    if (!reason_.empty()) {
      return;
    }
    if (const auto problem = find_problem(m)) {
      skip(fmt::format("{}: {}", problem->key, problem->message));
    }
  }

  /// Of the kinds that published models have, the one whose parameters come nearest; without their number,
  /// GPT's where the MLP is four times as wide as the hidden states.
  void set_kind(TransformerConfig& model) {
    TransformerConfig gpt = model;
    TransformerConfig llama = model;
    llama.normalization = Normalization::kRmsNorm;
    llama.activation = Activation::kSwiGlu;
    llama.position = PositionEncoding::kRotary;
    llama.linear_bias = false;
    llama.tied_embeddings = false;
    bool is_gpt = model.ffn_size == 4 * model.hidden_size;
    if (row_.parameters && reason_.empty() && !find_problem(gpt) && !find_problem(llama)) {
      const auto distance = [&](const TransformerConfig& config) {
        return std::abs(std::log(static_cast<double>(num_parameters(config)) / *row_.parameters));
      };
      is_gpt = distance(gpt) <= distance(llama);
    }
    model = is_gpt ? gpt : llama;
    assume("architecture", is_gpt ? "gpt" : "llama");
  }

  void set_cluster() {
    Hardware& h = case_.scenario.hardware;
    const std::int64_t num_gpus = case_.scenario.num_gpus;
    if (num_gpus > h.num_gpus() && h.num_nodes > 1) {
      h.num_nodes = (num_gpus + h.gpus_per_node - 1) / h.gpus_per_node;
      assume("num_nodes", fmt::format("{}", h.num_nodes));
    }
    if (num_gpus > h.num_gpus()) {
      skip(fmt::format("num_gpus: {} (cluster {} has {})", num_gpus, h.name, h.num_gpus()));
    }
    if (num_gpus > h.gpus_per_node && h.nic.bandwidth.source.starts_with("assumed")) {
      assume("nic.bandwidth", format_bytes_per_second(h.nic.bandwidth.value));
    }
    if (row_.oversubscription) {
      h.trunk.bandwidth.value = h.trunk.bandwidth.value * (1 / *row_.oversubscription);
    }
    if (const auto problem = find_problem(h)) {
      skip(fmt::format("cluster {}: {}: {}", h.name, problem->key, problem->message));
    }
  }

  /// What the source says of the framework's settings goes before the profile.
  void set_software() {
    SoftwareProfile& software = case_.scenario.software;
    if (row_.flash_attention) {
      software.flash_attention.value = *row_.flash_attention;
    } else {
      assume("flash_attn", software.flash_attention.value ? "yes" : "no");
    }
    set_flash_version(software);
    if (row_.reduces_in_fp32) {
      software.reduce_bytes.value = *row_.reduces_in_fp32 ? 4 : 0;
    }
    if (row_.keeps_parameters) {
      software.reshard_after_forward.value = false;
    }
  }

  /// Where the hardware file knows the version, else its newest.
  void set_flash_version(SoftwareProfile& software) {
    if (!row_.flash_version || !software.flash_attention.value) {
      return;
    }
    std::int64_t version = *row_.flash_version;
    const DeviceSpec& device = case_.scenario.hardware.device;
    if (!device.flash_attention.empty() && find_flash_attention(device, version) == nullptr) {
      const auto by_version = [](const FlashAttention& a, const FlashAttention& b) {
        return a.version < b.version;
      };
      version =
          std::max_element(device.flash_attention.begin(), device.flash_attention.end(), by_version)->version;
      assume("flash_attn", fmt::format("v{}", version));
    }
    software.flash_version.value = version;
    // It came to scaled_dot_product_attention with PyTorch 2.2. From 2.1 on recomputation by checkpoints that
    // are not reentrant, as those of FSDP's wrappers, stops early (docs/decisions/0021).
    if (row_.flash_of_pytorch && *row_.flash_version >= 2 && software.family == "fsdp") {
      software.recompute_whole_group.value = false;
    }
  }

  StrategyConstraints known_fields() {
    const SoftwareProfile& software = case_.scenario.software;
    StrategyConstraints c;
    const auto degree = [](std::int64_t value) { return static_cast<std::int32_t>(value); };
    c.tensor_parallel = degree(needed(row_.tensor_parallel, "tp"));
    c.pipeline_parallel = degree(needed(row_.pipeline_parallel, "pp"));
    c.context_parallel = degree(row_.context_parallel.value_or(1));
    c.expert_parallel = degree(row_.expert_parallel.value_or(1));
    // Divided by one after the other: their product may be no number.
    const std::int64_t left =
        case_.scenario.num_gpus / *c.tensor_parallel / *c.pipeline_parallel / *c.context_parallel;
    c.data_parallel = degree(row_.data_parallel.value_or(std::max<std::int64_t>(left, 1)));
    c.precision = case_.scenario.precision;
    c.axis_order = Strategy{}.axis_order;
    if (row_.sequence_parallel) {
      c.sequence_parallel = *row_.sequence_parallel && *c.tensor_parallel > 1;
    } else {
      c.sequence_parallel = software.sequence_parallel.value && *c.tensor_parallel > 1;
      assume("seq_parallel", *c.sequence_parallel ? "yes" : "no");
    }
    if (row_.zero_stage) {
      c.zero_stage = *row_.zero_stage;
    } else {
      c.zero_stage = static_cast<std::int32_t>(software.usual.zero_stage.value);
      assume("zero", fmt::format("{}", *c.zero_stage));
    }
    c.zero_group = row_.hybrid_sharding ? degree(case_.scenario.hardware.gpus_per_node) : 0;
    if (row_.offload) {
      skip("offload: what is offloaded, and how, is not said");
    }
    return c;
  }

  /// One, or all that the source leaves open.
  std::vector<RecomputeChoice> known_recomputation() {
    std::string word = row_.recompute;
    if (word.empty()) {
      word = word_of(case_.scenario.software.usual.recompute.value);
      assume("recompute", word);
    }
    if (is_every_other_layer(word)) {
      return {recompute_every_other(case_.scenario.model.num_layers)};
    }
    const auto set = find_recompute(word);
    if (!set) {
      skip(fmt::format("recompute: \"{}\" is not modelled", word));
      return {};
    }
    if (*set != recompute_selective() || !case_.scenario.software.usual.selective_by_layers.value) {
      return {Recompute{.all_layers = *set, .per_layer = {}}};
    }
    std::vector<RecomputeChoice> choices;
    const std::int64_t layers = case_.scenario.model.num_layers / row_.pipeline_parallel.value_or(1);
    const std::int64_t step = std::max<std::int64_t>(layers / 8, 1);
    for (std::int64_t recomputed = 0; recomputed < layers; recomputed += step) {
      choices.emplace_back(RecomputeBlock{static_cast<std::int32_t>(recomputed)});
    }
    choices.emplace_back(Recompute{.all_layers = recompute_full(), .per_layer = {}});
    return choices;
  }

  /// `last`: set to why one of them is not legal.
  void add_legal_strategies(const StrategyConstraints& constraints, std::string& last) {
    for (const Strategy& strategy : enumerate_strategies(case_.scenario, constraints)) {
      if (const auto rejection = find_rejection(case_.scenario, strategy)) {
        last = rejection->message;
      } else {
        case_.strategies.push_back(strategy);
      }
    }
  }

  void set_strategies() {
    if (!reason_.empty()) {
      return;
    }
    StrategyConstraints c = known_fields();
    const std::vector<RecomputeChoice> recomputation = known_recomputation();
    if (!reason_.empty()) {
      return;
    }
    const Scenario& scenario = case_.scenario;
    std::vector<std::int64_t> microbatches;
    for (std::int64_t size = 1; size <= scenario.global_batch; ++size) {
      if (row_.microbatch ? size == *row_.microbatch
                          : scenario.global_batch % (size * *c.data_parallel) == 0) {
        microbatches.push_back(size);
      }
    }
    std::vector<std::int32_t> chunks;
    for (std::int32_t v = 1; v <= scenario.model.num_layers; ++v) {
      const bool interleaves =
          v == 1 || (scenario.software.interleaved_schedule.value && *c.pipeline_parallel > 1 &&
                     scenario.model.num_layers % (std::int64_t{v} * *c.pipeline_parallel) == 0);
      if (row_.virtual_stages ? v == *row_.virtual_stages : interleaves) {
        chunks.push_back(v);
      }
    }
    std::string last;
    for (const std::int64_t microbatch : microbatches) {
      for (const std::int32_t v : chunks) {
        c.microbatch_size = microbatch;
        c.virtual_stages = v;
        c.schedule = v > 1 ? ScheduleKind::kInterleaved : ScheduleKind::kOneFOneB;
        for (const RecomputeChoice& recompute : recomputation) {
          c.recompute = recompute;
          add_legal_strategies(c, last);
        }
      }
    }
    if (c.zero_stage > scenario.software.zero_stages.value) {
      case_.apart = fmt::format("zero {}: {} has up to {}", *c.zero_stage, scenario.software.name,
                                scenario.software.zero_stages.value);
    }
    if (case_.strategies.empty()) {
      skip(last.empty() ? "no division of the batch is legal" : last);
    }
  }

  const TrainingRow& row_;
  PublishedCase case_;
  std::string reason_;
};

}  // namespace

Result<std::variant<PublishedCase, SkippedRow>> published_case(const TrainingRow& row,
                                                               const CatalogPaths& paths) {
  using Made = std::variant<PublishedCase, SkippedRow>;
  if (!row.unreadable.empty()) {
    return Made(SkippedRow{row.unreadable});
  }
  if (row.cluster.empty()) {
    return Made(SkippedRow{"cluster: not published"});
  }
  const auto hardware_file = find_in_catalog(paths, "hardware", row.cluster);
  if (!hardware_file) {
    return Made(SkippedRow{fmt::format("cluster: no hardware file describes {}", row.cluster)});
  }
  Result<Hardware> hardware = read_hardware(*hardware_file, paths);
  if (!hardware) {  // a template with figures to fill in, too
    return Made(SkippedRow{fmt::format("cluster: {}", hardware.error().message)});
  }
  auto software_file = find_in_catalog(paths, "software", row.software.empty() ? "generic" : row.software);
  const bool is_generic = row.software.empty() || !software_file;
  if (is_generic) {
    software_file = find_in_catalog(paths, "software", "generic");
    if (!software_file) {
      return software_file.error();
    }
  }
  PORTOLAN_TRY(SoftwareProfile software, read_software(*software_file));
  CaseBuilder builder(row, *std::move(hardware), std::move(software));
  if (is_generic) {
    builder.assume("software", "generic");
  }
  return builder.build();
}

}  // namespace portolan
