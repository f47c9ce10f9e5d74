#include "catalog/launch/megatron_strategy.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/parse_quantity.h"
#include "catalog/document/node.h"
#include "catalog/launch/megatron_layers.h"
#include "catalog/launch/megatron_model.h"
#include "catalog/launch/megatron_recompute.h"
#include "catalog/pipeline_layout.h"
#include "plan/legality.h"

namespace portolan {

namespace {

constexpr std::int64_t kMostDegree = 1'000'000;

/// Megatron-Core, distributed_data_parallel.py: the least number of parameters in a bucket where
/// --ddp-bucket-size is not given.
std::int64_t default_bucket(std::int64_t data_ranks) {
  return std::max<std::int64_t>(40'000'000, 1'000'000 * data_ranks);
}

class StrategyReader {
 public:
  StrategyReader(const MegatronArguments& arguments, const Scenario& scenario,
                 std::vector<std::string>& assumed)
      : arguments_(arguments), s_(arguments.settings), scenario_(scenario), assumed_(assumed) {}

  Result<Strategy> run() {
    PORTOLAN_CHECK_OK(read_degrees());
    PORTOLAN_CHECK_OK(read_batch());
    r_.precision = scenario_.precision;
    r_.sequence_parallel = s_.sequence_parallel && r_.tensor_parallel > 1;
    PORTOLAN_CHECK_OK(read_megatron_layers(arguments_, scenario_.model.num_layers, r_));
    PORTOLAN_TRY(const RecomputeChoice recompute,
                 megatron_recompute(arguments_, scenario_.model.experts.has_value()));
    r_.recompute = recompute_of(recompute, layers_of_stages(scenario_.model.num_layers, r_));
    PORTOLAN_CHECK_OK(read_sharding());
    PORTOLAN_CHECK_OK(read_sums());
    if (s_.use_tp_pp_dp_mapping) {
      r_.axis_order = kPipelineBeforeData;
    }
    PORTOLAN_CHECK_OK(read_offload());
    return std::move(r_);
  }

 private:
  Result<std::int32_t> degree(std::string_view flag, const MegatronSettings::Count& given) const {
    if (given.value_or(1) > kMostDegree) {
      return argument_error(arguments_, flag,
                            fmt::format("{} is out of range (allowed: 1 to {})", *given, kMostDegree));
    }
    return static_cast<std::int32_t>(given.value_or(1));
  }

  Result<void> read_degrees() {
    PORTOLAN_TRY(r_.tensor_parallel, degree("--tensor-model-parallel-size", s_.tensor_model_parallel_size));
    PORTOLAN_TRY(r_.pipeline_parallel,
                 degree("--pipeline-model-parallel-size", s_.pipeline_model_parallel_size));
    PORTOLAN_TRY(r_.context_parallel, degree("--context-parallel-size", s_.context_parallel_size));
    PORTOLAN_TRY(r_.expert_parallel, degree("--expert-model-parallel-size", s_.expert_model_parallel_size));
    const std::int64_t replica =
        std::int64_t{r_.tensor_parallel} * r_.pipeline_parallel * r_.context_parallel;
    if (scenario_.num_gpus % replica != 0) {
      const std::string_view flag = r_.pipeline_parallel > 1 && r_.tensor_parallel == 1
                                        ? "--pipeline-model-parallel-size"
                                        : "--tensor-model-parallel-size";
      return argument_error(
          arguments_, flag,
          fmt::format("tp {} x pp {} x cp {} = {} do not divide the {} ranks{}", r_.tensor_parallel,
                      r_.pipeline_parallel, r_.context_parallel, replica, scenario_.num_gpus, ranks_place()));
    }
    r_.data_parallel = static_cast<std::int32_t>(scenario_.num_gpus / replica);
    const std::int64_t experts = scenario_.model.experts ? scenario_.model.experts->num_experts : 1;
    if (experts % r_.expert_parallel != 0) {
      return argument_error(arguments_, "--expert-model-parallel-size",
                            fmt::format("{} does not divide {} experts", r_.expert_parallel, experts));
    }
    return {};
  }

  std::string ranks_place() const {
    const auto& ranks = arguments_.size.ranks;
    return ranks && ranks->line > 0 ? fmt::format(" (line {}: {})", ranks->line, ranks->from) : "";
  }

  Result<void> read_batch() {
    if (!s_.micro_batch_size) {
      return argument_error(arguments_, "--micro-batch-size", "is not given");
    }
    r_.microbatch_size = *s_.micro_batch_size;
    const std::int64_t round = r_.microbatch_size * r_.data_parallel;
    if (scenario_.global_batch % round != 0) {
      return argument_error(arguments_, "--global-batch-size",
                            fmt::format("{} is no multiple of microbatch {} x dp {}", scenario_.global_batch,
                                        r_.microbatch_size, r_.data_parallel));
    }
    return {};
  }

  Result<void> read_sharding() {
    r_.zero_stage = s_.use_distributed_optimizer ? 1 : 0;
    if (s_.zero_stage) {
      r_.zero_stage = static_cast<std::int32_t>(*s_.zero_stage);
    }
    if (s_.use_torch_fsdp2) {
      r_.zero_stage = 3;
    }
    if (s_.use_megatron_fsdp) {
      static constexpr std::array<std::string_view, 4> kStrategies = {"no_shard", "optim", "optim_grads",
                                                                      "optim_grads_params"};
      const std::string word = s_.data_parallel_sharding_strategy.value_or("no_shard");
      const auto found = std::find(kStrategies.begin(), kStrategies.end(), word);
      if (found == kStrategies.end()) {
        return argument_error(arguments_, "--data-parallel-sharding-strategy",
                              fmt::format("\"{}\" is not known (allowed: no_shard, optim, optim_grads, "
                                          "optim_grads_params)",
                                          printable(word)));
      }
      r_.zero_stage = static_cast<std::int32_t>(found - kStrategies.begin());
    }
    const std::int64_t instances = s_.num_distributed_optimizer_instances.value_or(1);
    const std::int64_t sharers = num_data_ranks(r_);
    if (sharers % instances != 0) {
      return argument_error(arguments_, "--num-distributed-optimizer-instances",
                            fmt::format("{} do not divide the {} data-parallel ranks", instances, sharers));
    }
    r_.zero_group = instances > 1 && r_.zero_stage > 0 ? static_cast<std::int32_t>(sharers / instances) : 0;
    if (r_.zero_stage > 3) {
      return argument_error(arguments_, "--zero-stage",
                            fmt::format("{} is out of range (allowed: 0 to 3)", r_.zero_stage));
    }
    return {};
  }

  Result<void> read_sums() {
    GradientAggregation& sums = r_.gradient_aggregation;
    sums.overlap = s_.overlap_grad_reduce && (r_.zero_stage <= 1 || has_all_reduces(r_));
    if (sums.overlap) {
      const std::int64_t parameters = s_.ddp_bucket_size.value_or(default_bucket(num_data_ranks(r_)));
      // One that holds a whole chunk is no bucket.
      const bool holds_all = parameters >= num_parameters(scenario_.model);
      sums.bucket =
          holds_all ? Bytes(0) : Bytes(parameters * gradient_width(scenario_.software, scenario_.precision));
    }
    if (!arguments_.nccl_algorithm) {
      return {};
    }
    std::string name = arguments_.nccl_algorithm->text;
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    if (name == "tree") {
      sums.algorithm = CollectiveAlgorithm::kTree;
    } else if (name != "ring") {
      assumed_.push_back(fmt::format("NCCL_ALGO=Ring (line {}: \"{}\" is not modelled)",
                                     arguments_.nccl_algorithm->line, printable(name)));
    }
    return {};
  }

  Result<void> read_offload() {
    if (!s_.optimizer_cpu_offload) {
      return {};
    }
    const double share = s_.optimizer_offload_fraction.value_or(1);
    if (share != 1 && share != 0) {
      return argument_error(arguments_, "--optimizer-offload-fraction",
                            fmt::format("{} has no plan (allowed: 0, 1)", share));
    }
    r_.offload = share == 1 ? Offload::kOptimizer : Offload::kNone;
    return {};
  }

  const MegatronArguments& arguments_;
  const MegatronSettings& s_;
  const Scenario& scenario_;
  std::vector<std::string>& assumed_;
  Strategy r_;
};

// The writer: a function for what belongs together.

void set_degrees(const Strategy& s, MegatronSettings& settings, LaunchFields& fields) {
  settings.tensor_model_parallel_size = s.tensor_parallel;
  settings.pipeline_model_parallel_size = s.pipeline_parallel;
  fields.maps("tp", fmt::format("--tensor-model-parallel-size {}", s.tensor_parallel));
  fields.maps("pp", fmt::format("--pipeline-model-parallel-size {}", s.pipeline_parallel));
  fields.maps("dp", "--nnodes x --nproc_per_node, over the other degrees");
  if (s.context_parallel > 1) {
    settings.context_parallel_size = s.context_parallel;
  }
  if (s.expert_parallel > 1) {
    settings.expert_model_parallel_size = s.expert_parallel;
  }
  fields.maps("cp", fmt::format("--context-parallel-size {}", s.context_parallel));
  fields.maps("ep", fmt::format("--expert-model-parallel-size {}", s.expert_parallel));
  settings.sequence_parallel = s.sequence_parallel;
  fields.maps("sequence_parallel", s.sequence_parallel ? "--sequence-parallel" : "no --sequence-parallel");
  settings.micro_batch_size = s.microbatch_size;
  fields.maps("microbatch", fmt::format("--micro-batch-size {}", s.microbatch_size));
  settings.use_tp_pp_dp_mapping = lies_as(s, kPipelineBeforeData) && !lies_as(s, Strategy{}.axis_order);
  fields.maps_node_order();
  fields.maps_unless("axis_order",
                     settings.use_tp_pp_dp_mapping || s.axis_order == kPipelineBeforeData
                         ? "--use-tp-pp-dp-mapping"
                         : "the default",
                     lies_as(s, kPipelineBeforeData) || lies_as(s, Strategy{}.axis_order)
                         ? ""
                         : "Megatron-LM has tensor-context-expert-data-pipeline and, with "
                           "--use-tp-pp-dp-mapping, data last");
  settings.use_tp_pp_dp_mapping = settings.use_tp_pp_dp_mapping || s.axis_order == kPipelineBeforeData;
}

void set_stages(const Scenario& scenario, const Strategy& s, MegatronSettings& settings,
                LaunchFields& fields) {
  const std::int64_t stages = std::int64_t{s.pipeline_parallel} * s.virtual_stages;
  const bool is_even = s.layers_per_stage.empty() && scenario.model.num_layers % stages == 0;
  const bool has_schedule = s.schedule == ScheduleKind::kOneFOneB || s.schedule == ScheduleKind::kInterleaved;
  fields.maps_unless("schedule",
                     s.schedule == ScheduleKind::kInterleaved ? "interleaved where there are virtual stages"
                                                              : "1F1B without virtual stages",
                     has_schedule ? ""
                                  : fmt::format("Megatron-LM runs 1F1B and interleaved 1F1B; without {} the "
                                                "script runs 1F1B",
                                                schedule_name(s.schedule)));
  std::string as = "even without an argument";
  std::string virtual_as = "1 without an argument";
  if (!is_even) {
    settings.pipeline_model_parallel_layout = write_pipeline_layout(layers_of_stages(scenario, s));
    as = fmt::format("--pipeline-model-parallel-layout {}", *settings.pipeline_model_parallel_layout);
    virtual_as = "--pipeline-model-parallel-layout";
  } else if (s.virtual_stages > 1) {
    settings.num_virtual_stages_per_pipeline_rank = s.virtual_stages;
    virtual_as = fmt::format("--num-virtual-stages-per-pipeline-rank {}", s.virtual_stages);
  }
  fields.maps("virtual_stages", virtual_as);
  fields.maps("layers", as);
}

void set_sharding(const Strategy& s, MegatronSettings& settings, LaunchFields& fields) {
  settings.use_distributed_optimizer = s.zero_stage >= 1;
  settings.use_megatron_fsdp = s.zero_stage >= 2;
  std::string as = s.zero_stage == 0 ? "no --use-distributed-optimizer" : "--use-distributed-optimizer";
  if (s.zero_stage >= 2) {
    settings.data_parallel_sharding_strategy = s.zero_stage == 2 ? "optim_grads" : "optim_grads_params";
    as = fmt::format("--use-megatron-fsdp --data-parallel-sharding-strategy {}",
                     *settings.data_parallel_sharding_strategy);
  }
  fields.maps("zero", as);
  if (s.zero_group == 0) {
    fields.maps("zero_group", "the whole group without an argument");
  } else if (s.zero_stage == 0) {
    fields.cannot("zero_group", "nothing is divided with zero=0");
  } else {
    settings.num_distributed_optimizer_instances = num_data_ranks(s) / s.zero_group;
    fields.maps("zero_group", fmt::format("--num-distributed-optimizer-instances {}",
                                          *settings.num_distributed_optimizer_instances));
  }
}

void set_sums(const Scenario& scenario, const Strategy& s, MegatronSettings& settings, LaunchFields& fields) {
  const GradientAggregation& sums = s.gradient_aggregation;
  settings.overlap_grad_reduce = sums.overlap;
  fields.maps("overlap", sums.overlap ? "--overlap-grad-reduce" : "no --overlap-grad-reduce");
  const std::int64_t width = gradient_width(scenario.software, s.precision);
  std::string why;
  if (sums.overlap) {
    settings.ddp_bucket_size = sums.bucket.value == 0 ? num_parameters(scenario.model)
                                                      : std::max<std::int64_t>(sums.bucket.value / width, 1);
    if (sums.bucket.value % width != 0) {
      why = fmt::format("is not whole parameters of {} bytes; rounded down", width);
    }
  } else if (sums.bucket.value > 0) {
    why = "there are no buckets without overlap";
  }
  fields.maps_unless("bucket",
                     sums.overlap ? fmt::format("--ddp-bucket-size {}", *settings.ddp_bucket_size)
                                  : "all gradients at once without overlap",
                     why);
  fields.maps_aggregation(sums.algorithm);
  fields.maps_unless("compression", "none",
                     sums.compression.is_none() ? "" : "Megatron-LM sums gradients as they are");
}

void set_precision(const Strategy& s, MegatronSettings& settings, LaunchFields& fields) {
  settings.bf16 = s.precision == Precision::kBf16 || s.precision == Precision::kFp8;
  settings.fp16 = s.precision == Precision::kFp16;
  if (s.precision == Precision::kFp8) {
    settings.fp8_format = "hybrid";
  }
  const std::string as = s.precision == Precision::kFp8    ? "--bf16 --fp8-format hybrid"
                         : s.precision == Precision::kFp32 ? "neither --bf16 nor --fp16"
                                                           : fmt::format("--{}", precision_name(s.precision));
  fields.maps_unless("precision", as,
                     s.precision == Precision::kTf32
                         ? "an argument of PyTorch, not of Megatron-LM; the script trains in fp32"
                         : "");
}

void set_offload(const Strategy& s, MegatronSettings& settings, LaunchFields& fields) {
  settings.optimizer_cpu_offload = offloads_optimizer(s.offload);
  fields.maps_unless("offload", settings.optimizer_cpu_offload ? "--optimizer-cpu-offload" : "none",
                     offloads_activations(s.offload)
                         ? "--cpu-offloading-num-layers moves activations of some layers, never of all"
                         : "");
}

}  // namespace

Result<Strategy> megatron_strategy(const MegatronArguments& arguments, const Scenario& scenario,
                                   std::vector<std::string>& assumed) {
  return StrategyReader(arguments, scenario, assumed).run();
}

void set_megatron_strategy(const Scenario& scenario, const Strategy& strategy, MegatronSettings& settings,
                           LaunchFields& fields) {
  set_degrees(strategy, settings, fields);
  set_stages(scenario, strategy, settings, fields);
  set_sharding(strategy, settings, fields);
  const std::string why = set_megatron_recompute(strategy, scenario.model.experts.has_value(), settings);
  fields.maps_unless("recompute",
                     settings.recompute_granularity
                         ? fmt::format("--recompute-granularity {}", *settings.recompute_granularity)
                         : "no --recompute-granularity",
                     why);
  set_sums(scenario, strategy, settings, fields);
  set_precision(strategy, settings, fields);
  set_offload(strategy, settings, fields);
}

}  // namespace portolan
