#include "catalog/launch/megatron_settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include "catalog/json/json_value.h"

namespace portolan {

namespace {

using S = MegatronSettings;

constexpr auto kMegatronFlags = std::to_array<MegatronFlag>({
    {"--num-layers", &S::num_layers},
    {"--hidden-size", &S::hidden_size},
    {"--ffn-hidden-size", &S::ffn_hidden_size},
    {"--num-attention-heads", &S::num_attention_heads},
    {"--kv-channels", &S::kv_channels},
    {"--group-query-attention", &S::group_query_attention},
    {"--num-query-groups", &S::num_query_groups},
    {"--seq-length", &S::seq_length},
    {"--max-position-embeddings", &S::max_position_embeddings, "", 1, true},
    {"--position-embedding-type", &S::position_embedding_type},
    {"--use-rotary-position-embeddings", &S::use_rotary_position_embeddings},
    {"--rotary-base", &S::rotary_base, "", 1, true},
    {"--rotary-percent", &S::rotary_percent, "", 1, true},
    {"--normalization", &S::normalization},
    {"--norm-epsilon", &S::norm_epsilon, "--layernorm-epsilon", 1, true},
    {"--swiglu", &S::swiglu},
    {"--disable-bias-linear", &S::disable_bias_linear},
    {"--add-qkv-bias", &S::add_qkv_bias},
    {"--qk-layernorm", &S::qk_layernorm},
    {"--embed-layernorm", &S::embed_layernorm},
    {"--untie-embeddings-and-output-weights", &S::untie_embeddings_and_output_weights},
    {"--init-method-std", &S::init_method_std, "", 1, true},
    {"--tokenizer-type", &S::tokenizer_type, "", 1, true},
    {"--vocab-size", &S::vocab_size, "", 1, true},
    {"--padded-vocab-size", &S::padded_vocab_size, "", 1, true},
    {"--make-vocab-size-divisible-by", &S::make_vocab_size_divisible_by, "", 1, true},
    {"--num-experts", &S::num_experts, "", 0},
    {"--moe-router-topk", &S::moe_router_topk},
    {"--moe-ffn-hidden-size", &S::moe_ffn_hidden_size},
    {"--moe-shared-expert-intermediate-size", &S::moe_shared_expert_intermediate_size},
    {"--moe-layer-freq", &S::moe_layer_freq},
    {"--moe-expert-capacity-factor", &S::moe_expert_capacity_factor},
    {"--moe-router-enable-expert-bias", &S::moe_router_enable_expert_bias},
    {"--multi-latent-attention", &S::multi_latent_attention},
    {"--q-lora-rank", &S::q_lora_rank},
    {"--kv-lora-rank", &S::kv_lora_rank},
    {"--qk-head-dim", &S::qk_head_dim},
    {"--qk-pos-emb-head-dim", &S::qk_pos_emb_head_dim},
    {"--v-head-dim", &S::v_head_dim},
    {"--attention-dropout", &S::attention_dropout},
    {"--hidden-dropout", &S::hidden_dropout},
    {"--use-flash-attn", &S::use_flash_attn, "--use-flash-attn-v2"},
    {"--attention-backend", &S::attention_backend},
    {"--bf16", &S::bf16},
    {"--fp16", &S::fp16},
    {"--fp8-format", &S::fp8_format},
    {"--accumulate-allreduce-grads-in-fp32", &S::accumulate_allreduce_grads_in_fp32},
    {"--grad-reduce-in-bf16", &S::grad_reduce_in_bf16},
    {"--no-gradient-accumulation-fusion", &S::no_gradient_accumulation_fusion},
    {"--no-masked-softmax-fusion", &S::no_masked_softmax_fusion},
    {"--no-bias-gelu-fusion", &S::no_bias_gelu_fusion},
    {"--no-bias-swiglu-fusion", &S::no_bias_swiglu_fusion},
    {"--no-bias-dropout-fusion", &S::no_bias_dropout_fusion},
    {"--no-rope-fusion", &S::no_rope_fusion},
    {"--micro-batch-size", &S::micro_batch_size, "--batch-size"},
    {"--global-batch-size", &S::global_batch_size},
    {"--tensor-model-parallel-size", &S::tensor_model_parallel_size, "--model-parallel-size"},
    {"--sequence-parallel", &S::sequence_parallel},
    {"--tp-comm-overlap", &S::tp_comm_overlap},
    {"--context-parallel-size", &S::context_parallel_size},
    {"--expert-model-parallel-size", &S::expert_model_parallel_size},
    {"--pipeline-model-parallel-size", &S::pipeline_model_parallel_size},
    {"--num-layers-per-virtual-pipeline-stage", &S::num_layers_per_virtual_pipeline_stage},
    {"--num-virtual-stages-per-pipeline-rank", &S::num_virtual_stages_per_pipeline_rank},
    {"--pipeline-model-parallel-layout", &S::pipeline_model_parallel_layout},
    {"--decoder-first-pipeline-num-layers", &S::decoder_first_pipeline_num_layers, "", 0},
    {"--decoder-last-pipeline-num-layers", &S::decoder_last_pipeline_num_layers, "", 0},
    {"--account-for-embedding-in-pipeline-split", &S::account_for_embedding_in_pipeline_split},
    {"--account-for-loss-in-pipeline-split", &S::account_for_loss_in_pipeline_split},
    {"--pp-partition-method", &S::pp_partition_method},
    {"--no-overlap-p2p-communication", &S::no_overlap_p2p_communication},
    {"--use-tp-pp-dp-mapping", &S::use_tp_pp_dp_mapping},
    {"--use-distributed-optimizer", &S::use_distributed_optimizer},
    {"--num-distributed-optimizer-instances", &S::num_distributed_optimizer_instances},
    {"--use-megatron-fsdp", &S::use_megatron_fsdp, "--use-custom-fsdp"},
    {"--data-parallel-sharding-strategy", &S::data_parallel_sharding_strategy},
    {"--use-torch-fsdp2", &S::use_torch_fsdp2},
    {"--zero-stage", &S::zero_stage, "", 0},
    {"--overlap-grad-reduce", &S::overlap_grad_reduce},
    {"--overlap-param-gather", &S::overlap_param_gather},
    {"--ddp-bucket-size", &S::ddp_bucket_size, "", 0, false, 1'000'000'000'000'000},
    {"--optimizer-cpu-offload", &S::optimizer_cpu_offload},
    {"--optimizer-offload-fraction", &S::optimizer_offload_fraction},
    {"--recompute-granularity", &S::recompute_granularity},
    {"--recompute-method", &S::recompute_method},
    {"--recompute-num-layers", &S::recompute_num_layers},
    {"--recompute-modules", &S::recompute_modules},
    {"--recompute-activations", &S::recompute_activations},
    {"--checkpoint-activations", &S::checkpoint_activations},
    {"--activations-checkpoint-method", &S::activations_checkpoint_method},
    {"--activations-checkpoint-num-layers", &S::activations_checkpoint_num_layers, "--checkpoint-num-layers"},
});

// Whole names, and what names begin with ("--log-"), of flags without effect on a step.
constexpr auto kNoEffect = std::to_array<std::string_view>({
    "--adam-",
    "--adlr-",
    "--aml-data-download-path",
    "--app-tag-",
    "--apply-residual-connection-post-layernorm",
    "--async-save",
    "--attention-softmax-in-fp32",
    "--auto-detect-ckpt-format",
    "--bias-",
    "--check-weight-hash-",
    "--ckpt-",
    "--clip-grad",
    "--config-logger-dir",
    "--consumed-",
    "--ddp-average-in-collective",
    "--DDP-impl",
    "--decoupled-",
    "--deepspeed",
    "--deepspeed_config",
    "--deepspeed-activation-checkpointing",
    "--dist-ckpt-",
    "--distributed-backend",
    "--distributed-timeout-",
    "--distributed-timeout",
    "--empty-unused-memory-level",
    "--end-weight-decay",
    "--eod-mask-loss",
    "--eval-",
    "--exit-",
    "--finetune",
    "--hysteresis",
    "--initial-loss-scale",
    "--kill-switch-path",
    "--lazy-mpu-init",
    "--load",
    "--load-",
    "--local_rank",
    "--local-rank",
    "--log-",
    "--logging-level",
    "--loss-scale",
    "--loss-scale-",
    "--lr",
    "--lr-",
    "--manual-gc",
    "--manual-gc-",
    "--master_",
    "--merge-file",
    "--micro-batch-size-per-dp",
    "--min-loss-scale",
    "--min-lr",
    "--mmap-",
    "--mock-data",
    "--moe-aux-loss-coeff",
    "--moe-router-",
    "--moe-z-loss-coeff",
    "--no-async-tensor-model-parallel-allreduce",
    "--no-barrier-",
    "--no-check-for-nan-in-loss-and-grad",
    "--no-create-attention-mask-in-dataloader",
    "--no-initialization",
    "--no-load-",
    "--no-log-",
    "--no-mmap-",
    "--no-one-logger",
    "--no-persist-layer-norm",
    "--no-pipeline-parallel",
    "--no-position-embedding",
    "--no-query-key-layer-scaling",
    "--no-save-",
    "--num-workers",
    "--one-logger-",
    "--optimizer",
    "--override-opt_param-scheduler",
    "--override-lr-scheduler",
    "--profile",
    "--profile-",
    "--rampup-batch-size",
    "--record-memory-history",
    "--reset-attention-mask",
    "--reset-position-ids",
    "--rotary-scaling-factor",
    "--rotary-seq-len-interpolation-factor",
    "--save",
    "--save-",
    "--seed",
    "--skip-train",
    "--special-tokens-",
    "--split",
    "--start-weight-decay",
    "--straggler-",
    "--te-rng-tracker",
    "--tensorboard-",
    "--test-",
    "--tiktoken-",
    "--timing-",
    "--tokenizer-",
    "--train-",
    "--transformer-impl",
    "--use-checkpoint-",
    "--use-cpu-initialization",
    "--use-dist-ckpt",
    "--use-legacy-models",
    "--use-mcore-models",
    "--use-mp-args-from-checkpoint-args",
    "--use_env",
    "--use-pytorch-profiler",
    "--use-rope-scaling",
    "--valid-",
    "--variable-seq-lengths",
    "--vocab-file",
    "--vocab-extra-ids",
    "--wandb-",
    "--weight-decay",
    "--weight-decay-",
    "--no-contiguous-buffers-in-local-ddp",
    "--moe-token-dispatcher-type",
    "--moe-grouped-gemm",
    "--moe-permute-fusion",
    "--fp8-amax-",
    "--fp8-margin",
    "--fp8-interval",
    "--fp8-param-gather",
    "--disable-straggler-",
    "--overlap-p2p-communication",
    "--apply-layernorm-1p",
    "--cross-entropy-",
    "--synchronize-each-layer",
    "--contigious-checkpointing",
    "--masked-softmax-fusion",
    "--calculate-per-token-loss",
    "--cp-comm-type",
    "--export-",
    "--use-precision-aware-optimizer",
    "--openai-gelu",
    "--onnx-safe",
    "--log",
    "--enable-one-logger",
    "--enable-ft-package",
    "--legacy-tokenizer",
    "--trust-remote-code",
    "--data-",
    "--dataloader-type",
    "--num-dataset-builder-threads",
});

struct NotModelled {
  std::string_view flag;
  std::string_view why;
};
constexpr auto kNotModelled = std::to_array<NotModelled>({
    {"--distribute-saved-activations", "inputs of checkpoints that tensor-parallel ranks divide"},
    {"--distribute-checkpointed-activations", "inputs of checkpoints that tensor-parallel ranks divide"},
    {"--expert-tensor-parallel-size", "experts with a tensor-parallel degree of their own"},
    {"--mtp-num-layers", "multi-token prediction"},
    {"--squared-relu", "squared ReLU; priced as GELU"},
    {"--fp32-residual-connection", "residuals in fp32"},
    {"--window-size", "sliding windows"},
    {"--enable-cuda-graph", "CUDA graphs"},
    {"--external-cuda-graph", "CUDA graphs"},
    {"--cuda-graph-impl", "CUDA graphs"},
    {"--cuda-graph-scope", "CUDA graphs"},
    {"--overlap-moe-expert-parallel-comm", "exchanges of experts beside compute"},
    {"--moe-shared-expert-overlap", "shared experts beside exchanges"},
    {"--delay-wgrad-compute", "weight gradients put off"},
    {"--cpu-offloading-num-layers", "activations of some layers in the host's memory"},
    {"--hierarchical-context-parallel-sizes", "context parallelism in two levels"},
    {"--encoder-num-layers", "encoders"},
    {"--encoder-tensor-model-parallel-size", "encoders"},
    {"--encoder-pipeline-model-parallel-size", "encoders"},
    {"--pipeline-model-parallel-split-rank", "encoders"},
    {"--defer-embedding-wgrad-compute", "weight gradients put off"},
    {"--microbatch-group-size-per-virtual-pipeline-stage",
     "groups of microbatches but of the stages' number"},
    {"--fp4-format", "fp4"},
    {"--partition-activations", "inputs of checkpoints that tensor-parallel ranks divide"},
    {"--cpu-optimizer", "DeepSpeed's optimizer in the host's memory"},
});

void append_flag(std::vector<std::string>& lines, std::string_view flag, const S::Count& value) {
  if (value) {
    lines.push_back(fmt::format("{} {}", flag, *value));
  }
}
void append_flag(std::vector<std::string>& lines, std::string_view flag, const S::Number& value) {
  if (value) {
    lines.push_back(fmt::format("{} {}", flag, shortest_number(*value)));
  }
}
void append_flag(std::vector<std::string>& lines, std::string_view flag, const S::Text& value) {
  if (value) {
    const bool plain = value->find_first_of("|*()[] '\"\\$&;<>") == std::string::npos;
    lines.push_back(plain ? fmt::format("{} {}", flag, *value) : fmt::format("{} \"{}\"", flag, *value));
  }
}
void append_flag(std::vector<std::string>& lines, std::string_view flag, const S::Texts& values) {
  if (!values.empty()) {
    lines.push_back(fmt::format("{} {}", flag, fmt::join(values, " ")));
  }
}
void append_flag(std::vector<std::string>& lines, std::string_view flag, bool value) {
  if (value) {
    lines.emplace_back(flag);
  }
}

}  // namespace

std::span<const MegatronFlag> megatron_flags() { return kMegatronFlags; }

const MegatronFlag* find_megatron_flag(std::string_view name) {
  const auto found =
      std::find_if(kMegatronFlags.begin(), kMegatronFlags.end(), [&](const MegatronFlag& flag) {
        return flag.flag == name || (!flag.old_flag.empty() && flag.old_flag == name);
      });
  return found == kMegatronFlags.end() ? nullptr : &*found;
}

bool has_no_effect(std::string_view flag) {
  return std::any_of(kNoEffect.begin(), kNoEffect.end(), [&](std::string_view known) {
    return flag == known || (known.ends_with('-') && flag.starts_with(known)) ||
           (known.ends_with('_') && flag.starts_with(known));
  });
}

std::string_view why_not_modelled(std::string_view flag) {
  const auto found = std::find_if(kNotModelled.begin(), kNotModelled.end(),
                                  [&](const NotModelled& known) { return known.flag == flag; });
  return found == kNotModelled.end() ? std::string_view() : found->why;
}

std::vector<std::string> written_flags(const MegatronSettings& settings) {
  std::vector<std::string> lines;
  for (const MegatronFlag& flag : kMegatronFlags) {
    std::visit([&](const auto& field) { append_flag(lines, flag.flag, settings.*field); }, flag.field);
  }
  return lines;
}

}  // namespace portolan
