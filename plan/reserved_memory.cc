#include "plan/reserved_memory.h"

#include <utility>

#include "plan/allocator_replay.h"
#include "plan/legality.h"

namespace portolan {

std::int32_t num_communicators(const Scenario& scenario, const Strategy& strategy, std::int32_t stage) {
  const auto one_if = [](bool used) { return used ? 1 : 0; };
  const std::int32_t p = strategy.pipeline_parallel;
  const bool cp = strategy.context_parallel > 1;
  const bool ep = strategy.expert_parallel > 1;
  std::int32_t num = one_if(strategy.tensor_parallel > 1) + one_if(cp) + one_if(ep);
  // Of gradients and shards: the whole group, or blocks of it and strides across them. A group along one axis
  // that is there already is not another one.
  const auto data_groups = [&](std::int32_t ranks, std::int32_t sharers, bool is_known) {
    const bool divided = strategy.zero_stage > 0 && sharers < ranks;
    return divided ? one_if(sharers > 1) + 1 : one_if(ranks > 1 && !is_known);
  };
  const std::int32_t ranks = num_data_ranks(strategy);
  num += data_groups(ranks, zero_sharers(strategy),
                     ranks == strategy.context_parallel || ranks == strategy.expert_parallel);
  if (ep) {
    const std::int32_t of_experts = num_expert_data_ranks(strategy);
    num += data_groups(of_experts, expert_sharers(strategy), of_experts == strategy.context_parallel);
  }
  const bool at_end = stage == 0 || stage == p - 1;
  return num + one_if(p > 1) + one_if(p > 1 && scenario.model.tied_embeddings && at_end);
}

Bytes memory_outside_allocator(const Scenario& scenario, const Strategy& strategy, std::int32_t stage) {
  const SoftwareProfile& software = scenario.software;
  const std::int64_t channels =
      software.communicator_channels.value * num_communicators(scenario, strategy, stage);
  return software.context_memory.value + software.channel_memory.value * channels +
         software.framework_memory.value;
}

std::vector<RunAhead> run_ahead_of_stages(const Scenario& scenario, const Strategy& strategy,
                                          const Program& program) {
  const SoftwareProfile& software = scenario.software;
  std::vector<RunAhead> stages(program.stages.size());
  if (software.launch_queue_depth.value == 0) {
    return stages;
  }
  const KernelCost cost(scenario.hardware, strategy.precision, software);
  for (std::size_t s = 0; s < stages.size(); ++s) {
    stages[s] = {.launches = launches_of(program.stages[s], cost),
                 .launch = software.host_launch.value,
                 .depth = software.launch_queue_depth.value,
                 .capacity = scenario.hardware.device.memory.value -
                             memory_outside_allocator(scenario, strategy, static_cast<std::int32_t>(s))};
  }
  return stages;
}

std::vector<StageMemory> program_memory(const Scenario& scenario, const Strategy& strategy,
                                        const Program& program) {
  std::vector<std::vector<TemplateWalk>> walks;
  std::vector<StageToReplay> stages;
  walks.reserve(program.stages.size());
  std::vector<RunAhead> ahead = run_ahead_of_stages(scenario, strategy, program);
  for (std::size_t i = 0; i < program.stages.size(); ++i) {
    const Stage& stage = program.stages[i];
    walks.push_back(template_walks(stage));
    stages.push_back({.stage = &stage,
                      .walks = &walks.back(),
                      .peak = live_peak(stage, walks.back()),
                      .ahead = std::move(ahead[i])});
  }
  std::vector<StageMemory> memories;
  for (const StageToReplay& stage : stages) {
    memories.push_back(stage_memory_of(stage.peak));
  }
  const AllocatorKind allocator = scenario.software.allocator.value;
  if (allocator != AllocatorKind::kNone) {
    const std::vector<Bytes> reserved = replay_stages(
        stages, {.expandable_segments = allocator == AllocatorKind::kExpandableSegments, .limit = {}});
    for (std::size_t i = 0; i < memories.size(); ++i) {
      memories[i].reserved = reserved[i];
    }
  }
  for (std::size_t i = 0; i < memories.size(); ++i) {
    memories[i].reserved += memory_outside_allocator(scenario, strategy, static_cast<std::int32_t>(i));
  }
  return memories;
}

}  // namespace portolan
