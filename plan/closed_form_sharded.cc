// What the closed form knows of passes whose parameters or gradients ranks share (ZeRO stages 2 and 3).
#include "plan/beside_compute.h"
#include "plan/closed_form.h"
#include "plan/legality.h"
#include "plan/recompute_groups.h"
#include "plan/sharded_pass.h"

namespace portolan {

ClosedForm::ShardedWaits ClosedForm::sharded_waits(const Strategy& s, const MachineCosts& machine,
                                                   const std::vector<BlockRun>& runs) {
  const SoftwareProfile& software = scenario_.software;
  const BlockOptions& options = first_blocks(s).options;
  const std::int64_t wire = reduction_width(software, s.precision);
  const std::int64_t width = gradient_width(software, s.precision);
  const bool gathers = divides_parameters(s);
  std::vector<ShardedBlocks> forward, backward;
  std::vector<bool> ends;
  const auto gather_of = [&](const BlockRun& run) {
    return gathers
               ? machine.sharers.all_gather.of(Bytes(run.parameters * options.compute_bytes)) +
                     machine.expert_data.all_gather.of(Bytes(run.expert_parameters * options.compute_bytes))
               : Seconds(0);
  };
  for (const BlockRun& run : runs) {
    ends.push_back(run.ends_group);
    forward.push_back({.count = run.count,
                       .compute = run.time.whole_forward(),
                       .gather = gather_of(run),
                       .reduce = {},
                       .accumulate = {},
                       .wire = run.time.wire_forward});
  }
  for (const BackwardStep& step : backward_steps(ends)) {
    const BlockRun& run = runs[step.block];
    const bool again = run.read_in_backward && software.reshard_after_forward.value;
    const Seconds gather = again ? gather_of(run) : Seconds(0);
    if (!step.backward) {
      backward.push_back({.count = 1,
                          .compute = run.recompute_ahead,
                          .gather = gather,
                          .reduce = {},
                          .accumulate = {},
                          .wire = run.wire_of(run.recompute_ahead)});
      continue;
    }
    // One kernel's time for the mean tensor, as often as there are tensors.
    const std::int64_t shard = run.parameters / zero_sharers(s) + run.expert_parameters / expert_sharers(s);
    const std::int64_t elements = shard / run.num_tensors;
    const Kernel accumulation{.kind = KernelKind::kGradientConvert,
                              .shape = {.rows = elements, .columns = 1},
                              .flops = {},
                              .bytes = Bytes(elements * (2 * width + wire)),
                              .operands = {}};
    backward.push_back(
        {.count = run.count,
         .compute = run.own_backward(),
         .gather = gather,
         .reduce = machine.sharers.reduce_scatter.of(Bytes(run.parameters * wire)) +
                   machine.expert_data.reduce_scatter.of(Bytes(run.expert_parameters * wire)),
         .accumulate = kernel_cost(s).time(accumulation) * static_cast<double>(run.num_tensors),
         .wire = run.wire_of(run.own_backward())});
  }
  const std::int64_t prefetch = software.gather_prefetch.value;
  const auto compute = [](const std::vector<ShardedBlocks>& list) {
    Seconds total;
    for (const ShardedBlocks& blocks : list) {
      total += blocks.compute * blocks.count;
    }
    return total;
  };
  Seconds accumulation;
  for (const ShardedBlocks& blocks : backward) {
    accumulation += blocks.accumulate * blocks.count;
  }
  // What gathers and reductions take of the device while blocks compute.
  const double share = kernel_cost(s).share_of_collectives();
  const auto pass_time = [&](std::vector<ShardedBlocks> list) {
    for (ShardedBlocks& blocks : list) {
      const Seconds collectives = blocks.reduce + (prefetch > 0 ? blocks.gather : Seconds(0));
      blocks.compute += CollectivesBeside::slowdown(blocks.compute, collectives, share);
    }
    return sharded_pass_time(list, prefetch);
  };
  return {.forward = pass_time(forward) - compute(forward),
          .backward = pass_time(backward) - compute(backward),
          .accumulation = accumulation};
}

}  // namespace portolan
