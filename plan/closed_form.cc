#include "plan/closed_form.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "plan/legality.h"
#include "plan/once_a_step_cost.h"
#include "plan/rank_place.h"
#include "plan/schedule.h"

namespace portolan {

/// Times of the parts of a step.
struct ClosedForm::Pipeline {
  Seconds step_time;
  Seconds sends;      ///< on the critical path
  Seconds data;       ///< exposed synchronisation and gathers
  Seconds optimizer;  ///< with zeroing
  Seconds offload;    ///< of optimizer states
  Seconds packing;    ///< kernels of compressed sums
};

ClosedForm::ClosedForm(const Scenario& scenario, const Cluster& cluster)
    : scenario_(scenario), cluster_(cluster.healthy()), prices_(cluster.healthy()) {
  const std::int64_t with_experts = num_layers_of(scenario.model, LayerKind::kExperts);
  has_one_layer_kind_ = with_experts == 0 || with_experts == scenario.model.num_layers;
}

ClosedForm::BlockKey ClosedForm::block_key(const Strategy& s, const RecomputeSet& recompute,
                                           LayerKind kind) const {
  // Where the ranks of a group sit follows from the degrees of the axes before theirs.
  const Placement placement = placement_of(s);
  const auto stride = [&](Axis axis) {
    Coordinates one{};
    const bool divided = placement.degree(axis) > 1;
    one[static_cast<std::size_t>(axis)] = divided ? 1 : 0;
    return placement.rank_of(one);
  };
  return {s.tensor_parallel,
          s.context_parallel,
          s.expert_parallel,
          {stride(Axis::kTensor), stride(Axis::kContext), stride(Axis::kExpert)},
          s.sequence_parallel,
          s.microbatch_size,
          recompute.to_ulong(),
          s.precision,
          splits_backward(s.schedule),
          sharers_wire(s, placement, cluster_),
          divides_parameters(s),
          divides_gradients(s),
          kind};
}

const KernelCost& ClosedForm::kernel_cost(const Strategy& s) {
  return kernel_costs_.try_emplace(s.precision, scenario_.hardware, s.precision, scenario_.software)
      .first->second;
}

const BlockCosts& ClosedForm::blocks(const Strategy& s, const RecomputeSet& recompute, LayerKind kind) {
  const BlockKey key = block_key(s, recompute, kind);
  if (last_blocks_ != nullptr && last_blocks_->first == key) {
    return last_blocks_->second;
  }
  if (const auto found = blocks_.find(key); found != blocks_.end()) {
    last_blocks_ = &*found;
    return found->second;
  }
  Strategy alike = s;
  alike.recompute = {.all_layers = recompute, .per_layer = {}};
  last_blocks_ = &*blocks_.emplace(key, block_costs(scenario_, alike, {kind}, prices_, kernel_cost(s))).first;
  return last_blocks_->second;
}

const BlockCosts& ClosedForm::first_blocks(const Strategy& s) {
  if (first_blocks_ == nullptr) {
    first_blocks_ = &blocks(s, s.recompute.of_layer(0), layer_kind(scenario_.model, 0));
  }
  return *first_blocks_;
}

const MachineCosts& ClosedForm::machine(const Strategy& s) {
  const BoundaryBytes boundary = boundary_bytes(scenario_, s);
  const MachineKey key{s.tensor_parallel,
                       s.context_parallel,
                       s.expert_parallel,
                       s.data_parallel,
                       s.pipeline_parallel,
                       zero_sharers(s),
                       s.virtual_stages > 1,
                       boundary.held.value,
                       boundary.sent.value,
                       s.gradient_aggregation.algorithm,
                       s.gradient_aggregation.compression.kind,
                       s.axis_order};
  if (last_machine_ == nullptr || last_machine_->first != key) {
    auto found = machines_.find(key);
    if (found == machines_.end()) {
      found = machines_.emplace(key, machine_costs(scenario_, s, prices_)).first;
    }
    last_machine_ = &*found;
  }
  return last_machine_->second;
}

ClosedForm::Pipeline ClosedForm::pipeline(const Strategy& s, const MachineCosts& machine,
                                          const StageSums& sums) {
  const std::vector<Seconds>& sends = sums.passes.sends;
  const std::size_t p = sends.size();
  const PipelineShape shape{.schedule = s.schedule,
                            .num_microbatches = num_microbatches(scenario_, s),
                            .blocking_sends = scenario_.software.blocking_sends.value,
                            .num_chunks = s.virtual_stages};
  std::vector<Seconds> ends = pipeline_ends(sums.passes, shape);
  Seconds copies;  // what goes to the host cannot go faster
  for (const StageSum& stage : sums.unlike) {
    copies = std::max(copies, stage.copies * shape.num_microbatches);
  }
  const Seconds late = std::max(copies - *std::max_element(ends.begin(), ends.end()), Seconds(0));

  const OnceAStepContext context{scenario_, s, cluster_, machine, kernel_costs_.at(s.precision)};
  std::vector<OnceAStepCost> once(p);
  Seconds begin, fill;  // of the first pass; from it to that of a stage
  for (std::size_t i = 0; i < p; ++i) {
    const bool like_before =
        i > 0 && sums.fills.empty() &&
        (sums.kinds[i] == sums.kinds[i - 1] || sums.of(i).parameters == sums.of(i - 1).parameters);
    once[i] = like_before ? once[i - 1]
                          : once_a_step_cost(context, sums.of(i).parameters,
                                             sums.fills.empty() ? Seconds(0) : sums.fills[i]);
    begin = std::max(begin, once[i].zeroing - fill);
    fill += sums.passes.chunks[i].forward + sends[i];
  }
  const auto synchronised = [&](std::size_t i) { return begin + ends[i] + late + once[i].sync; };
  const Seconds both_ends = std::max(synchronised(0), synchronised(p - 1));
  Pipeline result;
  result.sends = std::accumulate(sends.begin(), sends.end() - 1, Seconds(0)) * 2.0 +
                 (p > 1 ? sends[0] : Seconds(0)) * (s.virtual_stages * shape.num_microbatches - 1.0);
  for (std::size_t i = 0; i < p; ++i) {
    OnceAStepCost& cost = once[i];
    Seconds summed = synchronised(i);
    const StageParameters& parameters = sums.of(i).parameters;
    if (parameters.tied > 0) {  // the first and the last stage wait for each other
      cost.offload = offload_after(context, parameters, cost, both_ends - summed);
      summed = both_ends + cost.sync_ends;
    }
    const Seconds end = summed + cost.update + cost.gather + cost.offload;
    if (end > result.step_time) {
      result.step_time = end;
      result.data = cost.sync - cost.packing + cost.sync_ends + cost.gather;
      result.packing = cost.packing;
      result.optimizer = cost.update + once.front().zeroing;
      result.offload = cost.offload;
    }
  }
  return result;
}

namespace {

Strategy with_recompute(Strategy strategy, Recompute recompute) {
  strategy.recompute = std::move(recompute);
  return strategy;
}

}  // namespace

ClosedForm::Outcome ClosedForm::outcome(const Strategy& strategy) {
  if (strategy.recompute.is_open()) {
    return outcome(with_recompute(strategy, optimal_recompute(strategy)));
  }
  Outcome outcome;
  first_blocks_ = nullptr;
  const MachineCosts& machine_of_it = machine(strategy);
  const StageSums sums = stage_sums(strategy, machine_of_it);
  outcome.step_time = pipeline(strategy, machine_of_it, sums).step_time;
  for (std::int32_t stage = 0; stage < strategy.pipeline_parallel; ++stage) {
    const StageMemory memory = stage_memory(strategy, sums, stage);
    outcome.host_memory = std::max(outcome.host_memory, memory.host);
    if (memory.reserved > outcome.peak_memory) {
      outcome.peak_memory = memory.reserved;
      outcome.fullest_stage = stage;
    }
  }
  return outcome;
}

Estimate ClosedForm::evaluate(const Strategy& strategy) {
  if (strategy.recompute.is_open()) {
    return evaluate(with_recompute(strategy, optimal_recompute(strategy)));
  }
  first_blocks_ = nullptr;
  const MachineCosts& machine_of_it = machine(strategy);
  const StageSums sums = stage_sums(strategy, machine_of_it);
  const Pipeline parts = pipeline(strategy, machine_of_it, sums);
  const double m = num_microbatches(scenario_, strategy);
  Estimate estimate;
  estimate.strategy = strategy;
  estimate.step_time = parts.step_time;
  const BlockTime& first = sums.of(0).time;
  Breakdown& b = estimate.breakdown;
  b.compute = (first.forward + first.backward + first.weight) * m;
  b.recompute = first.recompute * m;
  const AxisSeconds exposed = (first.exposed_forward + first.exposed_backward) * m;
  b.exposed_tensor = exposed[Axis::kTensor];
  b.exposed_context = exposed[Axis::kContext];
  b.exposed_expert = exposed[Axis::kExpert];
  b.exposed_data = exposed[Axis::kData] + parts.data;
  b.optimizer = parts.optimizer;
  b.other = parts.packing;
  const PassWaits& further = sums.of(0).further;
  b.offload = (first.offload_forward + first.offload_backward) * m +
              (further.forward + further.backward) * (m - 1) + parts.offload;
  const Seconds rest = parts.step_time - b.total();
  b.exposed_pipeline = std::min(parts.sends, rest);
  b.bubble = rest - b.exposed_pipeline;
  for (std::int32_t stage = 0; stage < strategy.pipeline_parallel; ++stage) {
    estimate.stage_memory.push_back(stage_memory(strategy, sums, stage));
  }
  complete_estimate(estimate, scenario_);
  return estimate;
}

}  // namespace portolan
