#include "plan/lower.h"

#include <cassert>
#include <utility>

#include "plan/legality.h"
#include "plan/stage_lowering.h"

namespace portolan {

namespace {

std::vector<Lane> make_lanes() {
  using Kind = Lane::Kind;
  return {{Kind::kCompute, "compute"},
          {Kind::kCommunication, "tensor"},
          {Kind::kCommunication, "context"},
          {Kind::kCommunication, "expert"},
          {Kind::kCommunication, "pipeline receive previous"},
          {Kind::kCommunication, "pipeline send next"},
          {Kind::kCommunication, "pipeline receive next"},
          {Kind::kCommunication, "pipeline send previous"},
          {Kind::kCommunication, "data"},
          {Kind::kCommunication, "data gather"},
          {Kind::kCommunication, "end stages"},
          {Kind::kCopy, "copy to host"},
          {Kind::kCopy, "copy from host"},
          {Kind::kCommunication, "data across groups"}};
}

}  // namespace

Program lower(const Scenario& scenario, const Strategy& strategy) {
  std::vector<LayerKind> kinds;
  for (std::int64_t layer = 0; layer < scenario.model.num_layers; ++layer) {
    kinds.push_back(layer_kind(scenario.model, layer));
  }
  return lower_layers(scenario, strategy, std::move(kinds));
}

Program lower_layers(const Scenario& scenario, const Strategy& strategy, std::vector<LayerKind> kinds) {
  assert(!find_rejection(scenario, strategy) && !strategy.recompute.is_open());
  const BlockOptions options = block_options(scenario, strategy);
  const double loss_scale =
      1.0 / (static_cast<double>(scenario.global_batch) * static_cast<double>(scenario.sequence_length));
  const LoweringContext context{.scenario = scenario,
                                .strategy = strategy,
                                .options = options,
                                .embedding = embedding_block(scenario.model, options),
                                .layer_kinds = layer_kinds(scenario.model, options),
                                .kinds = std::move(kinds),
                                .head = head_block(scenario.model, options, loss_scale),
                                .layers = layers_of_stages(scenario, strategy),
                                .num_microbatches = num_microbatches(scenario, strategy)};
  Program program;
  program.degrees[static_cast<std::size_t>(Axis::kTensor)] = strategy.tensor_parallel;
  program.degrees[static_cast<std::size_t>(Axis::kContext)] = strategy.context_parallel;
  program.degrees[static_cast<std::size_t>(Axis::kExpert)] = strategy.expert_parallel;
  program.degrees[static_cast<std::size_t>(Axis::kData)] = strategy.data_parallel / strategy.expert_parallel;
  program.degrees[static_cast<std::size_t>(Axis::kPipeline)] = strategy.pipeline_parallel;
  program.axis_order = strategy.axis_order;
  program.num_microbatches = context.num_microbatches;
  program.microbatch_size = strategy.microbatch_size;
  program.sequence_length = scenario.sequence_length;
  program.lanes = make_lanes();
  for (std::int32_t s = 0; s < strategy.pipeline_parallel; ++s) {
    program.stages.push_back(StageLowering(context, s).lower());
  }
  return program;
}

}  // namespace portolan
