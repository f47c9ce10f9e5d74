#include <fmt/format.h>
#include <toml++/toml.h>

#include <sstream>
#include <utility>

#include "catalog/launch/framework_export.h"
#include "catalog/launch/launch_script.h"
#include "plan/legality.h"

namespace portolan {

namespace {

constexpr std::int64_t kReplicaBucket = 100
                                        << 20;  ///< of torchtitan's DDP: bucket_cap_mb=100 (parallelize.py)

constexpr std::uint64_t kMostSeed = (std::uint64_t{1} << 63) - 1;  ///< TOML's integers have a sign

/// Of the names of sections and keys: pytorch/torchtitan, torchtitan/config/job_config.py.
class TorchtitanWriter {
 public:
  explicit TorchtitanWriter(const Plan& plan) : scenario_(plan.scenario), s_(plan.strategy), fields_(s_) {}

  toml::table config() {
    set_training();
    set_degrees();
    set_sharding();
    set_stages();
    set_recomputation();
    set_sums();
    set_precision();
    toml::table root;
    root.insert("training", std::move(training_));
    root.insert("parallelism", std::move(parallelism_));
    root.insert("activation_checkpoint", std::move(checkpoint_));
    root.insert("model", std::move(model_));
    root.insert("optimizer", toml::table{{"name", "AdamW"},
                                         {"lr", scenario_.training.learning_rate},
                                         {"beta1", scenario_.training.adam_beta1},
                                         {"beta2", scenario_.training.adam_beta2},
                                         {"eps", scenario_.training.adam_epsilon},
                                         {"weight_decay", scenario_.training.weight_decay}});
    return root;
  }
  LaunchFields take_fields() && { return std::move(fields_); }

 private:
  /// A pipeline is given all its microbatches at once; without one gradients accumulate over several passes.
  void set_training() {
    const bool pipeline = s_.pipeline_parallel > 1;
    const std::int64_t local = s_.microbatch_size * (pipeline ? num_microbatches(scenario_, s_) : 1);
    training_.insert("local_batch_size", local);
    training_.insert("global_batch_size", scenario_.global_batch);
    training_.insert("seq_len", scenario_.sequence_length);
    training_.insert("steps", std::int64_t{50});
    training_.insert("seed", static_cast<std::int64_t>(scenario_.training.seed & kMostSeed));
    if (pipeline) {
      parallelism_.insert("pipeline_parallel_microbatch_size", s_.microbatch_size);
    }
    fields_.maps("microbatch", pipeline ? "[parallelism] pipeline_parallel_microbatch_size"
                                        : "[training] local_batch_size");
    fields_.maps_unless(
        "offload", "none",
        s_.offload == Offload::kNone
            ? ""
            : "[training] enable_cpu_offload moves parameters and gradients too, and no activations");
  }

  void set_degrees() {
    parallelism_.insert("tensor_parallel_degree", s_.tensor_parallel);
    parallelism_.insert("pipeline_parallel_degree", s_.pipeline_parallel);
    parallelism_.insert("context_parallel_degree", s_.context_parallel);
    parallelism_.insert("expert_parallel_degree", s_.expert_parallel);
    fields_.maps("tp", "[parallelism] tensor_parallel_degree");
    fields_.maps("pp", "[parallelism] pipeline_parallel_degree");
    fields_.maps_unless("cp", "[parallelism] context_parallel_degree",
                        s_.context_parallel == 1
                            ? ""
                            : "context_parallel_degree is written, but torchtitan gathers keys and values or "
                              "exchanges them by all-to-all: the ring of this plan is neither");
    fields_.maps("ep", "[parallelism] expert_parallel_degree");
    fields_.maps_unless("sequence_parallel",
                        s_.tensor_parallel > 1 ? "always with tensor parallelism" : "false",
                        s_.tensor_parallel > 1 && !s_.sequence_parallel
                            ? "torchtitan's tensor parallelism always divides norms along the sequence"
                            : "");
    fields_.maps_node_order();
    fields_.maps_unless("axis_order", "the default",
                        lies_as(s_, Strategy{}.axis_order)
                            ? ""
                            : "torchtitan's mesh has tensor innermost, then context, data and pipeline");
  }

  void set_sharding() {
    const std::int64_t sharers = s_.zero_stage >= 2 ? zero_sharers(s_) : 1;
    const bool whole = sharers % s_.context_parallel == 0;
    // Ranks of a context-parallel group share parameters too: torchtitan's degree leaves them out.
    const std::int64_t shards = whole ? std::max<std::int64_t>(sharers / s_.context_parallel, 1) : 1;
    parallelism_.insert("data_parallel_shard_degree", shards);
    parallelism_.insert("data_parallel_replicate_degree", s_.data_parallel / shards);
    fields_.maps("dp", "[parallelism] data_parallel_shard_degree x data_parallel_replicate_degree");
    fields_.maps_unless("zero_group", "[parallelism] data_parallel_shard_degree",
                        s_.zero_stage >= 2 && !whole ? "shards go over whole context-parallel groups" : "");
    if (s_.zero_stage >= 2) {
      const bool reshards = s_.zero_stage == 3 && scenario_.software.reshard_after_forward.value;
      parallelism_.insert("fsdp_reshard_after_forward", reshards ? "always" : "never");
    }
    fields_.maps_unless(
        "zero",
        s_.zero_stage == 0 ? "[parallelism] data_parallel_shard_degree 1"
                           : "[parallelism] fsdp_reshard_after_forward",
        s_.zero_stage == 1 ? "torchtitan divides parameters or nothing; written: nothing" : "");
  }

  void set_stages() {
    const bool one = s_.pipeline_parallel == 1;
    std::string schedule;
    std::string why;
    switch (s_.schedule) {
      case ScheduleKind::kGPipe:
        schedule = "GPipe";
        break;
      case ScheduleKind::kOneFOneB:
        schedule = "1F1B";
        break;
      case ScheduleKind::kInterleaved:
        schedule = "Interleaved1F1B";
        break;
      case ScheduleKind::kZeroBubbleH1:
        schedule = "1F1B";
        why = "PyTorch's zero-bubble schedules have two stages a rank (InterleavedZeroBubble, ZBVZeroBubble)";
        break;
    }
    if (!one) {
      parallelism_.insert("pipeline_parallel_schedule", schedule);
    } else if (s_.schedule != ScheduleKind::kOneFOneB) {
      why = "without stages torchtitan runs backward after each forward";
    }
    fields_.maps_unless("schedule", one ? "one stage has none" : "[parallelism] pipeline_parallel_schedule",
                        why);
    const std::vector<std::int32_t> layers = layers_of_stages(scenario_, s_);
    // Embedding and head go with the first and last layers, or alone.
    toml::array points;
    std::int64_t first = 0;
    for (std::size_t stage = 0; stage + 1 < layers.size(); ++stage) {
      first += layers[stage];
      points.push_back(first == scenario_.model.num_layers ? std::string("norm")
                                                           : fmt::format("layers.{}", first));
    }
    if (!one) {
      parallelism_.insert("pipeline_parallel_split_points", std::move(points));
    }
    const std::string as = one ? "one stage" : "[parallelism] pipeline_parallel_split_points";
    fields_.maps("layers", as);
    fields_.maps("virtual_stages", as);
  }

  void set_recomputation() {
    std::string mode = "none";
    std::string option;
    std::string why;
    const Recompute full{.all_layers = recompute_full(), .per_layer = {}};
    if (s_.recompute == full) {
      mode = "full";
    } else if (s_.recompute == recompute_every_other(scenario_.model.num_layers)) {
      mode = "selective";
      option = "2";
    } else if (s_.recompute != Recompute{}) {
      why =
          "torchtitan recomputes whole layers, all or every few, or single operations by a list of its own; "
          "written: none";
    }
    checkpoint_.insert("mode", mode);
    if (!option.empty()) {
      checkpoint_.insert("selective_ac_option", option);
    }
    fields_.maps_unless("recompute", fmt::format("[activation_checkpoint] mode {}", mode), why);
  }

  void set_sums() {
    const GradientAggregation& sums = s_.gradient_aggregation;
    const bool replicas = s_.zero_stage <= 1 && num_data_ranks(s_) > 1;
    const bool bucket_fits = sums.bucket.value == 0 || (replicas && sums.bucket.value == kReplicaBucket);
    fields_.maps_unless(
        "bucket", replicas ? "always 100 MiB" : "a block",
        bucket_fits && !(replicas && sums.overlap && sums.bucket.value == 0)
            ? ""
            : "torchtitan reduces gradients block by block, or in buckets of 100 MiB with replicas");
    fields_.maps_unless("overlap", "always",
                        !sums.overlap && replicas ? "torchtitan always sums gradients beside backward" : "");
    fields_.maps_aggregation(sums.algorithm);
    fields_.maps_unless("compression", "none",
                        sums.compression.is_none() ? "" : "torchtitan sums gradients as they are");
  }

  void set_precision() {
    const bool wide = s_.precision == Precision::kFp32 || s_.precision == Precision::kTf32;
    training_.insert("mixed_precision_param", wide ? "float32" : "bfloat16");
    training_.insert("mixed_precision_reduce", "float32");
    if (s_.precision == Precision::kFp8) {
      model_.insert("converters", toml::array{"float8"});
    }
    fields_.maps_unless(
        "precision",
        s_.precision == Precision::kFp8 ? "[model] converters float8" : "[training] mixed_precision_param",
        s_.precision == Precision::kFp16   ? "torchtitan trains in bfloat16 or float32; written: bfloat16"
        : s_.precision == Precision::kTf32 ? "a setting of PyTorch, not of torchtitan; written: float32"
                                           : "");
  }

  const Scenario& scenario_;
  const Strategy& s_;
  LaunchFields fields_;
  toml::table training_, parallelism_, checkpoint_, model_;
};

}  // namespace

LaunchExport torchtitan_export(const Plan& plan) {
  TorchtitanWriter writer(plan);
  std::ostringstream text;
  text << "# " << launch_title(plan)
       << "\n# torchtitan's job configuration; name the model by model.name and "
       << "model.flavor.\n\n"
       << writer.config() << '\n';
  LaunchFields fields = std::move(writer).take_fields();
  fields.cannot_say("model", plan.scenario.model.name,
                    "sizes are flavors in torchtitan's code (--model.name, --model.flavor)");
  list_uneven_nodes(plan, fields);
  const std::string script =
      script_head(plan, "torchtitan: run it on each node, with --model.name and --model.flavor.") +
      nccl_environment(plan.strategy) + node_variables(plan) +
      "\ntorchrun \"${DISTRIBUTED_ARGS[@]}\" -m torchtitan.train --job.config_file train.toml \"$@\"\n";
  return {.files = with_node_files(plan, {{.name = "train.toml", .content = text.str()},
                                          {.name = "launch.sh", .content = script, .is_program = true}}),
          .fields = std::move(fields).take()};
}

}  // namespace portolan
