#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace portolan {

/// Arguments of Megatron-LM that a step's time or memory depends on, as its parser takes them; without a
/// value: not given. Field names are the parser's. Source: megatron/training/arguments.py of Megatron-LM
/// (June 2025), and of its forks where a comment says so.
struct MegatronSettings {
  using Count = std::optional<std::int64_t>;
  using Number = std::optional<double>;
  using Text = std::optional<std::string>;
  using Texts = std::vector<std::string>;

  // How the step is divided.
  Count tensor_model_parallel_size;
  Count pipeline_model_parallel_size;
  Count num_layers_per_virtual_pipeline_stage;
  Count num_virtual_stages_per_pipeline_rank;
  Text pipeline_model_parallel_layout;
  Count decoder_first_pipeline_num_layers;
  Count decoder_last_pipeline_num_layers;
  bool account_for_embedding_in_pipeline_split = false;
  bool account_for_loss_in_pipeline_split = false;
  Text pp_partition_method;  ///< Megatron-DeepSpeed
  Count context_parallel_size;
  Count expert_model_parallel_size;
  bool sequence_parallel = false;
  bool use_tp_pp_dp_mapping = false;
  Count micro_batch_size;
  Count global_batch_size;
  bool use_distributed_optimizer = false;
  Count num_distributed_optimizer_instances;
  bool use_megatron_fsdp = false;
  Text data_parallel_sharding_strategy;
  bool use_torch_fsdp2 = false;
  Count zero_stage;  ///< Megatron-DeepSpeed
  bool overlap_grad_reduce = false;
  bool overlap_param_gather = false;
  Count ddp_bucket_size;  ///< parameters
  Text recompute_granularity;
  Text recompute_method;
  Count recompute_num_layers;
  Texts recompute_modules;
  bool recompute_activations = false;
  bool checkpoint_activations = false;      ///< before June 2022
  Text activations_checkpoint_method;       ///< before June 2022
  Count activations_checkpoint_num_layers;  ///< before June 2022; older --checkpoint-num-layers
  bool optimizer_cpu_offload = false;
  Number optimizer_offload_fraction;

  // Numbers and kernels.
  bool bf16 = false;
  bool fp16 = false;
  Text fp8_format;
  bool accumulate_allreduce_grads_in_fp32 = false;
  bool grad_reduce_in_bf16 = false;
  Number attention_dropout;
  Number hidden_dropout;
  bool use_flash_attn = false;
  Text attention_backend;
  bool tp_comm_overlap = false;
  bool no_overlap_p2p_communication = false;
  bool no_gradient_accumulation_fusion = false;
  bool no_masked_softmax_fusion = false;
  bool no_bias_gelu_fusion = false;
  bool no_bias_swiglu_fusion = false;
  bool no_bias_dropout_fusion = false;
  bool no_rope_fusion = false;

  // What is trained.
  Count num_layers;
  Count hidden_size;
  Count ffn_hidden_size;
  Count num_attention_heads;
  Count kv_channels;
  bool group_query_attention = false;
  Count num_query_groups;
  Count seq_length;
  Count max_position_embeddings;
  Text position_embedding_type;
  bool use_rotary_position_embeddings = false;  ///< before 2023: --position-embedding-type rope
  Count rotary_base;
  Number rotary_percent;
  Text normalization;
  Number norm_epsilon;
  bool swiglu = false;
  bool disable_bias_linear = false;
  bool add_qkv_bias = false;
  bool qk_layernorm = false;
  bool embed_layernorm = false;  ///< Megatron-DeepSpeed of BigScience
  bool untie_embeddings_and_output_weights = false;
  Number init_method_std;
  Count vocab_size;
  Count padded_vocab_size;
  Count make_vocab_size_divisible_by;
  Text tokenizer_type;
  Count num_experts;
  Count moe_router_topk;
  Count moe_ffn_hidden_size;
  Count moe_shared_expert_intermediate_size;
  Text moe_layer_freq;
  Number moe_expert_capacity_factor;
  bool moe_router_enable_expert_bias = false;
  bool multi_latent_attention = false;
  Count q_lora_rank;
  Count kv_lora_rank;
  Count qk_head_dim;
  Count qk_pos_emb_head_dim;
  Count v_head_dim;

  bool operator==(const MegatronSettings&) const = default;
};

/// A flag of the command line and the setting that it gives.
struct MegatronFlag {
  using Field =
      std::variant<MegatronSettings::Count MegatronSettings::*, MegatronSettings::Number MegatronSettings::*,
                   MegatronSettings::Text MegatronSettings::*, MegatronSettings::Texts MegatronSettings::*,
                   bool MegatronSettings::*>;
  std::string_view flag;  ///< "--num-layers"
  Field field;
  std::string_view old_flag = "";  ///< what versions before, or forks, call it
  std::int64_t least = 1;          ///< of counts
  /// A value that is known only when the script runs is no error: a step hardly depends on it.
  bool may_be_unknown = false;
  std::int64_t most = 1'000'000'000;  ///< of counts
};

/// All flags that count, in the order in which a launch script lists them: reader and writer share it.
std::span<const MegatronFlag> megatron_flags();
/// The flag by its name or its old one; nothing: it is none that counts.
const MegatronFlag* find_megatron_flag(std::string_view name);

/// Flags of which a step's time knows nothing: logs, data, checkpoints, the optimizer's rates, and what every
/// version does anyway.
bool has_no_effect(std::string_view flag);
/// Why a known flag that changes a step is left out ("expert tensor parallelism is not modelled"); empty: it
/// is unknown.
std::string_view why_not_modelled(std::string_view flag);

/// "--num-layers 96", a string for each setting that is given, in the order of the table.
std::vector<std::string> written_flags(const MegatronSettings& settings);

}  // namespace portolan
