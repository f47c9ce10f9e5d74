#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "catalog/json/json_value.h"
#include "catalog/launch/framework_export.h"
#include "catalog/launch/launch_script.h"
#include "catalog/launch/megatron_model.h"
#include "catalog/launch/megatron_software.h"
#include "catalog/launch/megatron_strategy.h"

namespace portolan {

namespace {

/// NAME=( ... ), an argument a line, of the lines from the one that begins with `first`, or after it, to
/// before the one that begins with `end`, both being flags of the table.
std::string argument_array(std::string_view name, const std::vector<std::string>& lines) {
  std::string text = fmt::format("{}=(\n", name);
  for (const std::string& line : lines) {
    text += fmt::format("  {}\n", line);
  }
  return text + ")\n";
}

std::size_t place_of(std::string_view flag) {
  const auto flags = megatron_flags();
  const auto found =
      std::find_if(flags.begin(), flags.end(), [&](const MegatronFlag& known) { return known.flag == flag; });
  return static_cast<std::size_t>(found - flags.begin());
}

/// What the settings say in three arrays: the model; numbers and kernels; how the step is divided.
std::string setting_arrays(const MegatronSettings& settings) {
  const std::size_t kernels = place_of("--attention-dropout");
  const std::size_t division = place_of("--micro-batch-size");
  std::vector<std::string> parts[3];
  for (std::string& line : written_flags(settings)) {
    const std::size_t place = place_of(std::string_view(line).substr(0, line.find(' ')));
    parts[place < kernels ? 0 : place < division ? 1 : 2].push_back(std::move(line));
  }
  return argument_array("MODEL_ARGS", parts[0]) + argument_array("KERNEL_ARGS", parts[1]) +
         argument_array("PARALLEL_ARGS", parts[2]);
}

std::string training_array(const TrainingOptions& training) {
  return argument_array(
      "TRAINING_ARGS",
      {"--train-iters \"${TRAIN_ITERS:-50}\"",
       fmt::format("--lr {}", shortest_number(training.learning_rate)),
       fmt::format("--min-lr {}", shortest_number(training.learning_rate / 10)),
       fmt::format("--adam-beta1 {}", shortest_number(training.adam_beta1)),
       fmt::format("--adam-beta2 {}", shortest_number(training.adam_beta2)),
       fmt::format("--adam-eps {}", shortest_number(training.adam_epsilon)),
       fmt::format("--weight-decay {}", shortest_number(training.weight_decay)),
       fmt::format("--seed {}", training.seed), "--log-interval 1", "--log-throughput", "--eval-iters 0"});
}

}  // namespace

LaunchExport megatron_export(const Plan& plan) {
  MegatronSettings settings;
  LaunchFields fields(plan.strategy);
  set_megatron_strategy(plan.scenario, plan.strategy, settings, fields);
  set_megatron_model(plan.scenario, settings, fields);
  set_megatron_software(plan.scenario, plan.strategy, settings);
  settings.global_batch_size = plan.scenario.global_batch;
  list_uneven_nodes(plan, fields);

  std::string text = script_head(
      plan, "Megatron-LM: run it on each node, from Megatron-LM's folder or with MEGATRON_PATH set to it.");
  // Kernels that communicate beside compute are launched in the order of their streams (Megatron-LM asks for
  // it); its FSDP asks for the opposite.
  if (!settings.use_megatron_fsdp) {
    text += "export CUDA_DEVICE_MAX_CONNECTIONS=1\n";
  }
  text += nccl_environment(plan.strategy) + node_variables(plan);
  text += setting_arrays(settings);
  text += training_array(plan.scenario.training);
  std::vector<std::string> data = {"--mock-data", "--split 1,0,0"};
  if (settings.use_megatron_fsdp) {
    data.emplace_back("--ckpt-format fsdp_dtensor");
  }
  text += "# Real data: replace these, or add --data-path and a tokenizer to the command line.\n";
  text += argument_array("DATA_ARGS", data);
  text +=
      "\ntorchrun \"${DISTRIBUTED_ARGS[@]}\" \"${MEGATRON_PATH:-.}/pretrain_gpt.py\" \\\n"
      "  \"${MODEL_ARGS[@]}\" \\\n"
      "  \"${KERNEL_ARGS[@]}\" \\\n"
      "  \"${PARALLEL_ARGS[@]}\" \\\n"
      "  \"${TRAINING_ARGS[@]}\" \\\n"
      "  \"${DATA_ARGS[@]}\" \\\n"
      "  \"$@\"\n";
  return {
      .files = with_node_files(plan, {{.name = "train.sh", .content = std::move(text), .is_program = true}}),
      .fields = std::move(fields).take()};
}

}  // namespace portolan
