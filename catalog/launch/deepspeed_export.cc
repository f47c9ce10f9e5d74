#include <fmt/format.h>

#include <utility>

#include "catalog/json/json_value.h"
#include "catalog/launch/framework_export.h"
#include "catalog/launch/launch_script.h"
#include "plan/legality.h"

namespace portolan {

namespace {

/// Of the names of sections and keys: deepspeed.ai, "DeepSpeed Configuration JSON".
class DeepSpeedWriter {
 public:
  explicit DeepSpeedWriter(const Plan& plan) : scenario_(plan.scenario), s_(plan.strategy), fields_(s_) {}

  JsonValue config() {
    JsonValue root = JsonValue::object();
    root.set("train_batch_size", scenario_.global_batch)
        .set("train_micro_batch_size_per_gpu", s_.microbatch_size)
        .set("gradient_accumulation_steps", num_microbatches(scenario_, s_));
    fields_.maps("microbatch", fmt::format("train_micro_batch_size_per_gpu {}", s_.microbatch_size));
    set_degrees(root);
    set_stages();
    set_precision(root);
    set_sharding(root);
    set_recomputation(root);
    set_optimizer(root);
    return root;
  }
  LaunchFields take_fields() && { return std::move(fields_); }

 private:
  void set_degrees(JsonValue& root) {
    if (s_.tensor_parallel > 1) {
      root.set("tensor_parallel", JsonValue::object().set("autotp_size", s_.tensor_parallel));
    }
    fields_.maps("tp", s_.tensor_parallel > 1
                           ? fmt::format("tensor_parallel.autotp_size {}", s_.tensor_parallel)
                           : "1 without tensor_parallel");
    fields_.maps("dp", "the launcher's GPUs, over the other degrees");
    fields_.maps_unless("cp", "1",
                        s_.context_parallel == 1
                            ? ""
                            : "DeepSpeed divides sequences by all-to-all (Ulysses), set up "
                              "in the training script, and has no ring");
    fields_.maps_unless(
        "ep", "1",
        s_.expert_parallel == 1 ? "" : "ep_size of deepspeed.moe.layer.MoE, in the training script");
    fields_.maps_unless(
        "sequence_parallel", "false",
        s_.sequence_parallel ? "tensor parallelism of DeepSpeed leaves norms and dropout whole" : "");
    fields_.maps_node_order();
    fields_.maps_unless("axis_order", "the default",
                        lies_as(s_, Strategy{}.axis_order)
                            ? ""
                            : "ranks of a tensor-parallel group are next to each other, then come replicas");
  }

  void set_stages() {
    const bool one = s_.pipeline_parallel == 1;
    const std::string_view in_script = "deepspeed.pipe.PipelineModule, in the training script";
    fields_.maps_unless("pp", "1", one ? "" : fmt::format("num_stages of {}", in_script));
    fields_.maps_unless("schedule", "one stage has none",
                        one && s_.schedule == ScheduleKind::kOneFOneB ? ""
                        : one ? "DeepSpeed runs backward after each forward"
                        : s_.schedule == ScheduleKind::kOneFOneB
                            ? "1F1B, once the training script has a PipelineModule"
                            : "DeepSpeed's pipelines run 1F1B");
    fields_.maps_unless("virtual_stages", "1", s_.virtual_stages == 1 ? "" : "DeepSpeed has none");
    fields_.maps_unless("layers", "all on one stage",
                        one ? "" : fmt::format("partition_method of {}", in_script));
  }

  void set_precision(JsonValue& root) {
    const bool bf16 = s_.precision == Precision::kBf16;
    const bool fp16 = s_.precision == Precision::kFp16;
    if (bf16 || fp16) {
      root.set(bf16 ? "bf16" : "fp16", JsonValue::object().set("enabled", true));
    }
    fields_.maps_unless(
        "precision",
        bf16 || fp16 ? fmt::format("{}.enabled", precision_name(s_.precision)) : "fp32 without both",
        s_.precision == Precision::kFp8    ? "of Transformer Engine, in the training script"
        : s_.precision == Precision::kTf32 ? "an argument of PyTorch, not of DeepSpeed"
                                           : "");
    const std::int64_t width = gradient_width(scenario_.software, s_.precision);
    if ((bf16 || fp16) && width == 4) {
      root.set("data_types", JsonValue::object().set("grad_accum_dtype", "fp32"));
    }
  }

  void set_sharding(JsonValue& root) {
    JsonValue zero = JsonValue::object();
    zero.set("stage", s_.zero_stage);
    fields_.maps("zero", fmt::format("zero_optimization.stage {}", s_.zero_stage));
    const bool shares_in_groups = s_.zero_group > 0 && s_.zero_stage == 3;
    if (shares_in_groups) {
      zero.set("mics_shard_size", s_.zero_group);
    }
    fields_.maps_unless(
        "zero_group",
        shares_in_groups ? fmt::format("zero_optimization.mics_shard_size {}", s_.zero_group)
                         : "the whole group",
        s_.zero_group > 0 && !shares_in_groups ? "DeepSpeed has groups with stage 3 (MiCS)" : "");
    set_sums(zero);
    if (offloads_optimizer(s_.offload) && s_.zero_stage >= 1) {
      zero.set("offload_optimizer", JsonValue::object().set("device", "cpu").set("pin_memory", true));
    }
    root.set("zero_optimization", std::move(zero));
  }

  void set_sums(JsonValue& zero) {
    const GradientAggregation& sums = s_.gradient_aggregation;
    const std::int64_t width = compute_bytes(s_.precision);
    const bool has_buckets = sums.overlap && s_.zero_stage >= 1 && sums.bucket.value >= width;
    zero.set("overlap_comm", sums.overlap && s_.zero_stage >= 1);
    if (has_buckets) {
      zero.set("reduce_bucket_size", sums.bucket.value / width);
    }
    fields_.maps_unless(
        "overlap", fmt::format("zero_optimization.overlap_comm {}", sums.overlap),
        sums.overlap && s_.zero_stage == 0 ? "without ZeRO DeepSpeed sums after backward" : "");
    fields_.maps_unless(
        "bucket",
        has_buckets ? fmt::format("zero_optimization.reduce_bucket_size {}", sums.bucket.value / width)
                    : "DeepSpeed's default",
        sums.bucket.value == 0 || has_buckets ? "" : "without ZeRO and overlap there are no buckets");
    fields_.maps_aggregation(sums.algorithm);
    fields_.maps_unless("compression", "none",
                        sums.compression.is_none() ? "" : "no optimizer of DeepSpeed's has it");
  }

  /// Which layers are checkpointed is said by calls in the training script; the configuration says how.
  void set_recomputation(JsonValue& root) {
    const bool none = s_.recompute == Recompute{};
    const bool full = s_.recompute == Recompute{.all_layers = recompute_full(), .per_layer = {}};
    const bool moves = offloads_activations(s_.offload);
    if (!none) {
      root.set("activation_checkpointing",
               JsonValue::object()
                   .set("partition_activations", false)
                   .set("cpu_checkpointing", moves)
                   .set("number_checkpoints", full ? JsonValue(scenario_.model.num_layers) : JsonValue()));
    }
    fields_.maps_unless(
        "recompute", "no activation_checkpointing",
        none ? "" : "what is checkpointed is said in the training script (deepspeed.checkpointing)");
    std::string why;
    if (moves && !full) {
      why = "cpu_checkpointing moves the inputs of checkpoints, and needs recompute=full";
    } else if (offloads_optimizer(s_.offload) && s_.zero_stage == 0) {
      why = "the optimizer's states are moved with ZeRO alone";
    }
    fields_.maps_unless(
        "offload",
        s_.offload == Offload::kNone ? "none"
        : moves && offloads_optimizer(s_.offload)
            ? "zero_optimization.offload_optimizer, activation_checkpointing.cpu_checkpointing"
        : moves ? "activation_checkpointing.cpu_checkpointing"
                : "zero_optimization.offload_optimizer",
        why);
  }

  void set_optimizer(JsonValue& root) {
    const TrainingOptions& training = scenario_.training;
    root.set("optimizer",
             JsonValue::object()
                 .set("type", "AdamW")
                 .set("params",
                      JsonValue::object()
                          .set("lr", training.learning_rate)
                          .set("betas", json_list(std::vector{training.adam_beta1, training.adam_beta2}))
                          .set("eps", training.adam_epsilon)
                          .set("weight_decay", training.weight_decay)))
        .set("gradient_clipping", 1.0)
        .set("steps_per_print", 1);
  }

  const Scenario& scenario_;
  const Strategy& s_;
  LaunchFields fields_;
};

}  // namespace

LaunchExport deepspeed_export(const Plan& plan) {
  DeepSpeedWriter writer(plan);
  const JsonValue config = writer.config();
  LaunchFields fields = std::move(writer).take_fields();
  fields.cannot_say("model", plan.scenario.model.name, "its sizes are the training script's");
  list_uneven_nodes(plan, fields);
  const RanksOnNodes ranks = ranks_on_nodes(plan);
  const std::string script =
      script_head(plan, "DeepSpeed: run it on the first node, TRAINING_SCRIPT=FILE set.") +
      nccl_environment(plan.strategy) +
      fmt::format(
          "\ndeepspeed --hostfile hostfile --num_nodes {} --num_gpus {} \\\n"
          "  \"${{TRAINING_SCRIPT:?the script that builds the model}}\" \\\n"
          "  --deepspeed --deepspeed_config ds_config.json \\\n"
          "  \"$@\"\n",
          ranks.nodes, ranks.ranks_per_node);
  return {.files = with_node_files(plan, {{.name = "ds_config.json", .content = write_json(config)},
                                          {.name = "launch.sh", .content = script, .is_program = true}}),
          .fields = std::move(fields).take()};
}

}  // namespace portolan
