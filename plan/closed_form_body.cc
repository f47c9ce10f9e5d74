// What the closed form knows before it is known who shares what: bounds for a search.
#include <algorithm>
#include <limits>

#include "plan/closed_form.h"
#include "plan/legality.h"
#include "plan/once_a_step_cost.h"
#include "plan/rematerialization_bound.h"
#include "plan/rematerialization_memory.h"
#include "plan/schedule.h"

namespace portolan {

namespace {

/// What the order of additions may change of a time.
constexpr double kRounding = 1e-12;

/// What a stage recomputes at least of a microbatch. Its layers save no more than the budget, each in as many
/// microbatches as there are when most is held: the running chunk's in the one in backward too. Where that is
/// too little for any sets, groups of layers run again all that full recomputation does, and more.
Seconds least_recompute(const RematerializationProblem& problem) {
  std::vector<RecomputeHull::Layer> layers;
  double everything = 0;
  const std::vector<StageLayer> list = layers_of(problem);
  for (std::size_t i = 0; i < list.size(); ++i) {
    const bool runs = i < problem.running.size();
    const std::int64_t in_flight = runs ? problem.moments.front().num_saved + 1 : list[i].num_saved;
    layers.push_back({.kind = list[i].kind, .weight = in_flight});
    double most = 0;
    for (const LayerChoice& choice : problem.kinds[list[i].kind]) {
      most = std::max(most, choice.recompute.value);
    }
    everything += most;
  }
  const Bytes beside = problem.saved_beside * problem.moments.front().num_saved;
  const double least =
      RecomputeHull(problem.kinds, layers).least_recompute(0, (problem.budget - beside).value);
  return Seconds(std::min(least, everything));
}

}  // namespace

std::vector<Seconds> ClosedForm::least_ends(const Strategy& s, const StageSums& sums) const {
  const std::vector<ChunkPass>& chunks = sums.passes.chunks;
  const auto p = static_cast<std::size_t>(s.pipeline_parallel);
  const double m = num_microbatches(scenario_, s);
  std::vector<Seconds> ends;
  Seconds forwards, backwards;  // of all stages before this one, of their first chunk
  for (std::size_t i = 0; i < p; ++i) {
    Seconds passes, weights;
    for (std::size_t k = i; k < chunks.size(); k += p) {
      passes += chunks[k].forward + chunks[k].backward;
      weights += chunks[k].weight;
    }
    // Weight gradients may be what a stage does last, after the backwards of those before it.
    ends.push_back(forwards + passes * m + std::max(backwards, weights * m));
    forwards += chunks[i].forward;
    backwards += chunks[i].backward;
  }
  return ends;
}

ClosedForm::Body ClosedForm::body(const Strategy& s) {
  first_blocks_ = nullptr;
  // For sums beside backward, of those that have some, and for states on the host: as they meet the blocks.
  Strategy beside = s;
  beside.gradient_aggregation.overlap = true;
  beside.offload = offloads_activations(s.offload) ? Offload::kActivationsAndOptimizer : Offload::kOptimizer;
  Body body;
  body.sums_ = stage_sums(beside, machine(s), Waits::kNone);
  const auto p = static_cast<std::size_t>(s.pipeline_parallel);
  const double m = num_microbatches(scenario_, s);
  body.ends_ = least_ends(s, body.sums_);
  body.step_time_ = *std::max_element(body.ends_.begin(), body.ends_.end());
  for (const StageSum& stage : body.sums_.unlike) {
    body.copies_ = std::max(body.copies_, stage.copies * m);
  }
  const BlockTime& first = body.sums_.of(0).time;
  body.busy_ = (first.forward + first.backward + first.weight + first.recompute) * m;
  for (std::size_t i = 0; i < p; ++i) {
    const auto index = static_cast<std::int32_t>(i);
    const Bytes held = activations(s, position_of(s, index), body.sums_);
    if (i == 0 || body.sums_.kinds[i] != body.sums_.kinds[i - 1]) {
      body.runs_.push_back({.fullest = index, .activations = held, .end = body.ends_[i]});
      continue;
    }
    Body::Run& run = body.runs_.back();
    run.end = std::max(run.end, body.ends_[i]);
    if (held > run.activations) {
      run.fullest = index;
      run.activations = held;
    }
  }
  return body;
}

Bytes ClosedForm::least_memory(const Strategy& s, const Body& body) {
  first_blocks_ = nullptr;
  Bytes most;
  for (const Body::Run& run : body.runs_) {
    most = std::max(most, stage_memory(s, body.sums_, run.fullest, run.activations).reserved);
  }
  return most;
}

/// As the last layer of a group runs backward, the others are computed again and keep what they save.
Bytes ClosedForm::least_memory_of_groups(const Strategy& s, const Body& body) {
  first_blocks_ = nullptr;
  Bytes saved(std::numeric_limits<std::int64_t>::max());
  for (const LayerKind kind : {LayerKind::kDense, LayerKind::kExperts}) {
    if (num_layers_of(scenario_.model, kind) > 0) {
      saved = std::min(saved, blocks(s, recompute_none(), kind).layer_shape.saved);
    }
  }
  const std::vector<LayerRange> chunks = chunks_of(s).layers;
  Bytes most;
  for (const Body::Run& run : body.runs_) {
    std::int32_t together = 0;
    for (auto k = static_cast<std::size_t>(run.fullest); k < chunks.size();
         k += static_cast<std::size_t>(s.pipeline_parallel)) {
      together = std::max(together, std::min(chunks[k].count, s.recompute.layers_per_group));
    }
    const Bytes held = saved * std::max(together - 1, 0);
    most = std::max(most, stage_memory(s, body.sums_, run.fullest, held).reserved);
  }
  return most;
}

/// Gathers beside forward may cost nothing, and lossy sums are not looked at.
Seconds ClosedForm::least_after(const OnceAStepContext& context, const StageParameters& stage) {
  const OnceAStepCost cost = once_a_step_cost(context, stage, Seconds(0));
  const bool exact = context.strategy.gradient_aggregation.compression.is_none();
  const bool waits = !gathers_beside_forward(scenario_, context.strategy);
  // What other stages are waited for may hide copies of states.
  const bool streams = offloads_optimizer(context.strategy.offload) && exact && stage.tied == 0;
  return (exact ? cost.sync : Seconds(0)) + cost.update + (waits ? cost.gather : Seconds(0)) +
         (streams ? cost.offload : Seconds(0));
}

/// Passes that are longer than those of the body wait less for what is shared, but no less than they are
/// longer.
Seconds ClosedForm::least_time(const Strategy& s, const Body& body) {
  first_blocks_ = nullptr;
  Strategy own = s;
  own.recompute = s.recompute.is_open() ? Recompute{} : s.recompute;
  const MachineCosts& machine_of_it = machine(own);
  const OnceAStepContext context{scenario_, own, cluster_, machine_of_it, kernel_cost(own)};
  Seconds least = s.recompute.is_open() ? Seconds(0) : body.copies_;
  for (const Body::Run& run : body.runs_) {
    const StageParameters& parameters = body.sums_.of(static_cast<std::size_t>(run.fullest)).parameters;
    least = std::max(least, run.end + least_after(context, parameters));
  }
  if (s.recompute.is_open() && divides_gradients(s)) {
    const std::vector<Seconds> ends = least_ends(own, stage_sums(own, machine_of_it, Waits::kShared));
    least = std::max(least, *std::max_element(ends.begin(), ends.end()));
  }
  return least * (1 - kRounding);
}

/// Likewise the last backward hides no more of the sums beside it than it is longer.
Seconds ClosedForm::least_time_that_fits(const Strategy& s, const Body& body) {
  first_blocks_ = nullptr;
  Strategy none = s;
  none.recompute = {};
  const Chunks chunks = chunks_of(none);
  const OnceAStepContext context{scenario_, none, cluster_, machine(none), kernel_cost(none)};
  const double m = num_microbatches(scenario_, s) - (sums_beside_backward(s) ? 1 : 0);
  Seconds least;
  for (const Body::Run& run : body.runs_) {
    const auto fullest = static_cast<std::size_t>(run.fullest);
    const Seconds after = least_after(context, body.sums_.of(fullest).parameters);
    const RematerializationProblem problem = stage_problem(none, chunks, body.sums_, run.fullest);
    least = std::max(least, body.ends_[fullest] + least_recompute(problem) * m + after);
  }
  return least * (1 - kRounding);
}

}  // namespace portolan
