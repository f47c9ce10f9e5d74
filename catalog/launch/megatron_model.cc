#include "catalog/launch/megatron_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "catalog/document/node.h"
#include "catalog/launch/expert_layers.h"

namespace portolan {

namespace {

constexpr std::int64_t kMostModelLayers = 100'000;

/// What --tokenizer-type says of the vocabulary: sizes of the published tokenizers.
struct TokenizerSize {
  std::string_view type;
  std::int64_t vocabulary;
};
constexpr auto kTokenizers = std::to_array<TokenizerSize>(
    {{"GPT2BPETokenizer", 50257}, {"Llama2Tokenizer", 32000}, {"Llama3Tokenizer", 128256}});

/// Keys of TransformerConfig that find_problem names, and the flags that give them.
constexpr auto kModelKeys = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"num_layers", "--num-layers"},
    {"hidden_size", "--hidden-size"},
    {"num_heads", "--num-attention-heads"},
    {"num_kv_heads", "--num-query-groups"},
    {"ffn_size", "--ffn-hidden-size"},
    {"head_dim", "--kv-channels"},
    {"vocab_size", "--vocab-size"},
    {"max_positions", "--max-position-embeddings"},
    {"rotary_dim", "--rotary-percent"},
    {"experts.num_experts", "--num-experts"},
    {"experts.experts_per_token", "--moe-router-topk"},
});

/// Layers with experts after `first_dense` without, every `period`-th.
std::vector<int> expert_layers(const TransformerConfig& config) {
  std::vector<int> layers;
  for (std::int64_t layer = 0; layer < config.num_layers; ++layer) {
    layers.push_back(layer_kind(config, layer) == LayerKind::kExperts ? 1 : 0);
  }
  return layers;
}

class MegatronModelReader {
 public:
  MegatronModelReader(const MegatronArguments& arguments, const MegatronContext& context,
                      std::vector<std::string>& assumed)
      : arguments_(arguments), s_(arguments.settings), context_(context), assumed_(assumed) {}

  Result<TransformerConfig> run() {
    if (context_.scenario && !s_.num_layers && !s_.hidden_size && !s_.num_attention_heads) {
      assumed_.push_back(fmt::format("model: {} (the scenario's)", context_.scenario->model.name));
      return context_.scenario->model;
    }
    PORTOLAN_TRY(m_.num_layers, size("--num-layers", s_.num_layers, &TransformerConfig::num_layers));
    PORTOLAN_TRY(m_.hidden_size, size("--hidden-size", s_.hidden_size, &TransformerConfig::hidden_size));
    PORTOLAN_TRY(m_.num_heads,
                 size("--num-attention-heads", s_.num_attention_heads, &TransformerConfig::num_heads));
    if (m_.num_layers > kMostModelLayers) {
      return argument_error(
          arguments_, "--num-layers",
          fmt::format("{} is out of range (allowed: 1 to {})", m_.num_layers, kMostModelLayers));
    }
    set_widths();
    PORTOLAN_CHECK_OK(set_kinds());
    PORTOLAN_CHECK_OK(set_vocabulary());
    PORTOLAN_CHECK_OK(set_experts());
    PORTOLAN_CHECK_OK(set_latent());
    set_name();
    if (const auto problem = find_problem(m_)) {
      return argument_error(arguments_, flag_of(problem->key), problem->message);
    }
    return std::move(m_);
  }

 private:
  Result<std::int64_t> size(std::string_view flag, const MegatronSettings::Count& given,
                            std::int64_t TransformerConfig::*field) {
    if (given) {
      return *given;
    }
    if (!context_.scenario) {
      return argument_error(arguments_, flag, "is not given (needed: in the script, or a SCENARIO)");
    }
    const std::int64_t value = context_.scenario->model.*field;
    assumed_.push_back(fmt::format("{} {} (the scenario's)", flag, value));
    return value;
  }

  void set_widths() {
    m_.num_kv_heads = s_.group_query_attention ? s_.num_query_groups.value_or(1) : m_.num_heads;
    if (s_.kv_channels && *s_.kv_channels * m_.num_heads != m_.hidden_size) {
      m_.explicit_head_dim = s_.kv_channels;
    }
    // Narrower with SwiGLU, whose MLP has three matrices: two thirds, whole multiples of 64.
    m_.ffn_size = s_.ffn_hidden_size.value_or(
        s_.swiglu ? static_cast<std::int64_t>(4.0 * static_cast<double>(m_.hidden_size) * 2 / 3 / 64) * 64
                  : 4 * m_.hidden_size);
    m_.max_positions = s_.max_position_embeddings.value_or(
        s_.seq_length.value_or(context_.scenario ? context_.scenario->sequence_length : 0));
  }

  Result<void> set_kinds() {
    m_.activation = s_.swiglu ? Activation::kSwiGlu : Activation::kGelu;
    m_.linear_bias = !s_.disable_bias_linear;
    m_.qkv_bias = s_.add_qkv_bias;
    m_.query_key_norm = s_.qk_layernorm;
    m_.embedding_norm = s_.embed_layernorm;
    m_.tied_embeddings = !s_.untie_embeddings_and_output_weights;
    m_.norm_epsilon = s_.norm_epsilon.value_or(1e-5);
    m_.initializer_std = s_.init_method_std.value_or(0.02);
    m_.rotary_theta = static_cast<double>(s_.rotary_base.value_or(10'000));
    const std::string norm = s_.normalization.value_or("LayerNorm");
    if (norm != "LayerNorm" && norm != "RMSNorm") {
      return refused_word("--normalization", norm, "LayerNorm, RMSNorm");
    }
    m_.normalization = norm == "RMSNorm" ? Normalization::kRmsNorm : Normalization::kLayerNorm;
    const std::string position = s_.use_rotary_position_embeddings || s_.multi_latent_attention
                                     ? "rope"
                                     : s_.position_embedding_type.value_or("learned_absolute");
    if (position == "rope" || position == "rotary" || position == "yarn") {
      m_.position = PositionEncoding::kRotary;
    } else if (position == "alibi") {
      m_.position = PositionEncoding::kAlibi;
    } else if (position != "learned_absolute" && position != "absolute") {
      return refused_word("--position-embedding-type", position, "learned_absolute, rope, yarn, alibi");
    }
    const double share = s_.rotary_percent.value_or(1);
    if (m_.position == PositionEncoding::kRotary && share != 1 && share > 0 && share <= 1 &&
        m_.num_heads > 0) {
      const std::int64_t head = m_.explicit_head_dim.value_or(m_.hidden_size / m_.num_heads);
      m_.rotary_dim = static_cast<std::int64_t>(static_cast<double>(head) * share);
    }
    return {};
  }

  Error refused_word(std::string_view flag, const std::string& word, std::string_view allowed) const {
    return argument_error(arguments_, flag,
                          fmt::format("\"{}\" is not known (allowed: {})", printable(word), allowed));
  }

  Result<void> set_vocabulary() {
    const std::string tokenizer = s_.tokenizer_type.value_or("");
    if (s_.padded_vocab_size || s_.vocab_size) {
      // NullTokenizer adds its end of text to what it is told.
      m_.vocab_size =
          s_.padded_vocab_size.value_or(s_.vocab_size.value_or(0) + (tokenizer == "NullTokenizer" ? 1 : 0));
      return {};
    }
    const auto known = std::find_if(kTokenizers.begin(), kTokenizers.end(),
                                    [&](const TokenizerSize& size) { return size.type == tokenizer; });
    const std::int64_t usual = context_.software.usual.vocab_size.value;
    if (context_.scenario) {
      m_.vocab_size = context_.scenario->model.vocab_size;
      assumed_.push_back(fmt::format("--vocab-size {} (the scenario's)", m_.vocab_size));
    } else if (known != kTokenizers.end()) {
      m_.vocab_size = known->vocabulary;
      assumed_.push_back(fmt::format("--vocab-size {} (of a {})", m_.vocab_size, known->type));
    } else if (usual > 0) {
      m_.vocab_size = usual;
      assumed_.push_back(fmt::format("--vocab-size {} (usual with {})", usual, context_.software.name));
    } else {
      return argument_error(arguments_, "--vocab-size",
                            "is not given (needed: in the script, or a SCENARIO)");
    }
    return {};
  }

  Result<void> set_experts() {
    if (s_.num_experts.value_or(0) == 0) {
      return {};
    }
    MixtureOfExperts experts{.num_experts = *s_.num_experts,
                             .experts_per_token = s_.moe_router_topk.value_or(2),
                             .expert_ffn_size = s_.moe_ffn_hidden_size.value_or(m_.ffn_size),
                             .shared_ffn_size = s_.moe_shared_expert_intermediate_size.value_or(0)};
    experts.capacity_factor = s_.moe_expert_capacity_factor;
    experts.router_bias = s_.moe_router_enable_expert_bias;
    if (s_.moe_layer_freq) {
      const auto layers = parse_expert_layers(*s_.moe_layer_freq, m_.num_layers);
      if (!layers) {
        return refused_word("--moe-layer-freq", *s_.moe_layer_freq,
                            "a number, or a list of 0 and 1 for each layer such as ([0]*3+[1]*58)");
      }
      if (!place_experts(*layers, experts)) {
        return argument_error(arguments_, "--moe-layer-freq",
                              fmt::format("\"{}\" has no plan (allowed: layers without experts first, then "
                                          "experts in every layer or in the last of every few)",
                                          printable(*s_.moe_layer_freq)));
      }
    }
    m_.experts = experts;
    return {};
  }

  /// Where first_dense_layers and layer_period can say it.
  bool place_experts(const std::vector<int>& layers, MixtureOfExperts& experts) const {
    const auto first = std::find(layers.begin(), layers.end(), 1);
    const auto second = first == layers.end() ? first : std::find(first + 1, layers.end(), 1);
    TransformerConfig config = m_;
    config.experts = experts;
    const std::int64_t period = second == layers.end() ? 1 : second - first;
    config.experts->layer_period = period;
    config.experts->first_dense_layers = std::max<std::int64_t>(0, (first - layers.begin()) - (period - 1));
    const bool fits = expert_layers(config) == layers;
    experts = fits ? *config.experts : experts;
    return fits;
  }

  Result<void> set_latent() {
    if (!s_.multi_latent_attention) {
      return {};
    }
    m_.latent = LatentAttention{.q_lora_rank = s_.q_lora_rank.value_or(0),
                                .kv_lora_rank = s_.kv_lora_rank.value_or(32),
                                .qk_nope_head_dim = s_.qk_head_dim.value_or(128),
                                .qk_rope_head_dim = s_.qk_pos_emb_head_dim.value_or(64),
                                .v_head_dim = s_.v_head_dim.value_or(128)};
    m_.explicit_head_dim.reset();
    m_.num_kv_heads = m_.num_heads;
    return {};
  }

  /// The scenario's where the script trains its model.
  void set_name() {
    m_.name = std::filesystem::path(arguments_.file).stem().string();
    if (context_.scenario) {
      TransformerConfig named = m_;
      named.name = context_.scenario->model.name;
      m_.name = named == context_.scenario->model ? named.name : m_.name;
    }
  }

  static std::string_view flag_of(std::string_view key) {
    const auto found = std::find_if(kModelKeys.begin(), kModelKeys.end(),
                                    [&](const auto& known) { return known.first == key; });
    return found == kModelKeys.end() ? key : found->second;
  }

  const MegatronArguments& arguments_;
  const MegatronSettings& s_;
  const MegatronContext& context_;
  std::vector<std::string>& assumed_;
  TransformerConfig m_;
};

void set_expert_settings(const TransformerConfig& m, MegatronSettings& settings) {
  const MixtureOfExperts& experts = *m.experts;
  settings.num_experts = experts.num_experts;
  settings.moe_router_topk = experts.experts_per_token;
  settings.moe_ffn_hidden_size = experts.expert_ffn_size;
  if (experts.shared_ffn_size > 0) {
    settings.moe_shared_expert_intermediate_size = experts.shared_ffn_size;
  }
  if (experts.first_dense_layers > 0 || experts.layer_period > 1) {
    settings.moe_layer_freq = write_expert_layers(expert_layers(m));
  }
  settings.moe_expert_capacity_factor = experts.capacity_factor;
  settings.moe_router_enable_expert_bias = experts.router_bias;
}

void set_latent_settings(const LatentAttention& latent, MegatronSettings& settings) {
  settings.multi_latent_attention = true;
  if (latent.q_lora_rank > 0) {
    settings.q_lora_rank = latent.q_lora_rank;
  }
  settings.kv_lora_rank = latent.kv_lora_rank;
  settings.qk_head_dim = latent.qk_nope_head_dim;
  settings.qk_pos_emb_head_dim = latent.qk_rope_head_dim;
  settings.v_head_dim = latent.v_head_dim;
}

/// What Megatron-LM has no argument for.
void list_inexpressible(const TransformerConfig& m, LaunchFields& fields) {
  if (m.activation == Activation::kRelu) {
    fields.cannot_say("model.activation", "relu", "Megatron-LM has GELU, SwiGLU and squared ReLU");
  }
  if (m.position == PositionEncoding::kAlibi) {
    fields.cannot_say("model.position", "alibi", "of Megatron-LM's forks alone");
  }
  if (m.parallel_residual) {
    fields.cannot_say("model.parallel_residual", "true", "Megatron-LM adds attention before the MLP");
  }
  if (m.embedding_norm) {
    fields.cannot_say("model.embedding_norm", "true", "of BigScience's fork alone (--embed-layernorm)");
  }
  if (m.position_offset > 0) {
    fields.cannot_say("model.position_offset", fmt::format("{}", m.position_offset),
                      "Megatron-LM's position table begins with the first token");
  }
  if (m.sliding_window) {
    fields.cannot_say("model.sliding_window", fmt::format("{}", *m.sliding_window),
                      "not written: versions of Megatron-LM differ in --window-size");
  }
}

}  // namespace

Error argument_error(const MegatronArguments& arguments, std::string_view flag, std::string_view message) {
  const std::int64_t line = arguments.line_of(flag);
  return bad_input(line == 0 ? fmt::format("{}: {}: {}", arguments.file, flag, message)
                             : fmt::format("{}:{}: {}: {}", arguments.file, line, flag, message));
}

Result<TransformerConfig> megatron_model(const MegatronArguments& arguments, const MegatronContext& context,
                                         std::vector<std::string>& assumed) {
  return MegatronModelReader(arguments, context, assumed).run();
}

void set_megatron_model(const Scenario& scenario, MegatronSettings& settings, LaunchFields& fields) {
  const TransformerConfig& m = scenario.model;
  settings.num_layers = m.num_layers;
  settings.hidden_size = m.hidden_size;
  settings.ffn_hidden_size = m.ffn_size;
  settings.num_attention_heads = m.num_heads;
  if (m.explicit_head_dim) {
    settings.kv_channels = m.explicit_head_dim;
  }
  if (m.num_kv_heads != m.num_heads) {
    settings.group_query_attention = true;
    settings.num_query_groups = m.num_kv_heads;
  }
  settings.seq_length = scenario.sequence_length;
  settings.max_position_embeddings = std::max(m.max_positions, scenario.sequence_length);
  settings.position_embedding_type = m.position == PositionEncoding::kLearned ? "learned_absolute" : "rope";
  if (m.position == PositionEncoding::kRotary) {
    settings.rotary_base = static_cast<std::int64_t>(m.rotary_theta);
    if (m.rotary_dim) {
      settings.rotary_percent = static_cast<double>(*m.rotary_dim) / static_cast<double>(m.head_dim());
    }
  }
  settings.normalization = m.normalization == Normalization::kRmsNorm ? "RMSNorm" : "LayerNorm";
  settings.norm_epsilon = m.norm_epsilon;
  settings.init_method_std = m.initializer_std;
  settings.swiglu = m.activation == Activation::kSwiGlu;
  settings.disable_bias_linear = !m.linear_bias;
  settings.add_qkv_bias = m.qkv_bias;
  settings.qk_layernorm = m.query_key_norm;
  settings.untie_embeddings_and_output_weights = !m.tied_embeddings;
  // A tokenizer without a file; one of the vocabulary's entries is its end of text.
  settings.tokenizer_type = "NullTokenizer";
  settings.vocab_size = std::max<std::int64_t>(m.vocab_size - 1, 1);
  settings.make_vocab_size_divisible_by = scenario.software.vocab_padding.value;
  if (m.experts) {
    set_expert_settings(m, settings);
  }
  if (m.latent) {
    set_latent_settings(*m.latent, settings);
  }
  list_inexpressible(m, fields);
}

}  // namespace portolan
