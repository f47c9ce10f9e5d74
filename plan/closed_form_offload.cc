// What the closed form knows of copies between device and host.
#include <algorithm>

#include "plan/closed_form.h"
#include "plan/legality.h"
#include "plan/schedule.h"

namespace portolan {

double ClosedForm::share_in_runs(const Strategy& s, std::int32_t stage) const {
  const double m = num_microbatches(scenario_, s);
  switch (s.schedule) {
    case ScheduleKind::kGPipe:
      return 1;
    case ScheduleKind::kOneFOneB:
    case ScheduleKind::kZeroBubbleH1:
      return 0;  // other stages wait then too
    case ScheduleKind::kInterleaved:
      break;
  }
  const double before_the_first_pair =
      2.0 * (s.pipeline_parallel - stage - 1) + (s.virtual_stages - 1.0) * s.pipeline_parallel;
  return std::min(before_the_first_pair / (m * s.virtual_stages), 1.0);
}

bool ClosedForm::keeps_last_layer(const Strategy& s, std::int32_t virtual_stage) const {
  const std::int32_t m = num_microbatches(scenario_, s);
  // Elsewhere, with several microbatches, forwards of others come in between.
  return (m == 1 || virtual_stage + 1 == s.pipeline_parallel * s.virtual_stages) &&
         backward_follows_at_once(
             s.schedule, {virtual_stage % s.pipeline_parallel, s.pipeline_parallel, m, s.virtual_stages},
             virtual_stage / s.pipeline_parallel);
}

OffloadWaits ClosedForm::waits_for_copies(const MachineCosts& machine, const std::vector<BlockRun>& runs,
                                          bool keeps_last, Waits waits) const {
  std::vector<OffloadedBlocks> blocks;
  std::size_t behind_layers = 0;
  for (const BlockRun& run : runs) {
    blocks.push_back({.count = run.count,
                      .is_layer = run.is_layer,
                      .forward = run.time.whole_forward(),
                      .backward = run.time.whole_backward(),
                      .copy = run.is_layer ? machine.copy.of(run.saved) : Seconds(0)});
    behind_layers = run.is_layer ? blocks.size() : behind_layers;
  }
  if (behind_layers > 0 && keeps_last) {
    OffloadedBlocks last = blocks[behind_layers - 1];
    last.count = 1;
    last.copy = Seconds(0);
    --blocks[behind_layers - 1].count;
    blocks.insert(blocks.begin() + static_cast<std::ptrdiff_t>(behind_layers), last);
  }
  if (waits == Waits::kAll) {
    return offload_waits(blocks);
  }
  OffloadWaits none;
  for (const OffloadedBlocks& block : blocks) {
    none.copies += block.copy * block.count;
  }
  return none;
}

void ClosedForm::add_copies(const Strategy& s, std::int32_t stage, const OffloadWaits& waits, BlockTime& time,
                            PassWaits& further) const {
  const double run = share_in_runs(s, stage);
  const auto steady = [&](Seconds PassWaits::*pass) {
    return waits.in_runs.*pass * run + waits.in_turn.*pass * (1 - run);
  };
  const PassWaits mean{steady(&PassWaits::forward), steady(&PassWaits::backward)};
  // Where there are several chunks, passes of others go before even the first one.
  const PassWaits first = s.virtual_stages > 1 ? mean : waits.first;
  time.offload_forward = first.forward;
  time.offload_backward = first.backward;
  further = {mean.forward - first.forward, mean.backward - first.backward};
}

void ClosedForm::add_streamed(const Strategy& s, const std::vector<BlockRun>& blocks,
                              StageParameters& parameters) const {
  const std::int64_t shards = s.zero_stage >= 1 ? zero_sharers(s) : 1;
  const std::int64_t expert_shards = s.zero_stage >= 1 ? expert_sharers(s) : 1;
  for (const BlockRun& run : blocks) {
    parameters.streamed.insert(parameters.streamed.end(), static_cast<std::size_t>(run.count),
                               run.updated / shards + run.expert_parameters / expert_shards);
  }
}

ClosedForm::LayersMemory ClosedForm::offloaded_memory(const std::vector<LayerRun>& runs, StagePlace place,
                                                      bool keeps_last) {
  LayersMemory memory = layers_memory(runs, place);
  memory.peak = Bytes(0);
  Bytes above;  // put off by layers above, which are done with
  for (const LayerRun& run : runs) {
    above += run.costs->layer_shape.deferred * run.count;
    memory.host += run.costs->layer_shape.saved * run.count;
  }
  const Bytes last = runs.back().costs->layer_shape.saved;
  memory.host = memory.host - (keeps_last ? last : Bytes(0));
  memory.saved = memory.saved - memory.host;
  Bytes below;  // of the layer below the run: fetched ahead
  for (const LayerRun& run : runs) {
    const bool is_last = &run == &runs.back();
    const bool at_end = &run == &runs.front() || is_last;
    const StageShape& layer = run.costs->layer_shape;
    const StageShape& shape =
        run.costs->stages[static_cast<std::size_t>(at_end ? place : StagePlace::kMiddle)];
    above = above - layer.deferred * run.count;
    const Bytes next = run.count > 1 ? layer.saved : below;
    // Beside the last layer the last copy of the forward before may still be under way, and two before it
    // begins.
    const Bytes leaving = !is_last ? Bytes(0) : keeps_last ? next : layer.saved;
    const Bytes at_top = std::max(shape.peak + next + leaving, layer.saved + next + leaving * 2);
    const Bytes at_bottom = shape.peak + below + layer.deferred * (run.count - 1);
    memory.peak = std::max({memory.peak, above + at_top, above + at_bottom});
    below = layer.saved;
  }
  return memory;
}

/// One bucket comes, one is updated, one goes.
Bytes ClosedForm::streamed_states(const StageParameters& stage) const {
  std::int64_t most = 0;
  const std::vector<std::int64_t>& blocks = stage.streamed;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    most = std::max(most, blocks[i] + (i > 0 ? blocks[i - 1] : 0) + (i > 1 ? blocks[i - 2] : 0));
  }
  return Bytes(most * scenario_.software.optimizer_bytes_per_parameter.value);
}

}  // namespace portolan
