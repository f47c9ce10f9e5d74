// What the closed form chooses to recompute: the problem of each stage, in the bytes and seconds that it
// counts itself, for plan/rematerialization.h.
#include <algorithm>
#include <set>
#include <utility>

#include "plan/block_lowering.h"
#include "plan/closed_form.h"
#include "plan/legality.h"
#include "plan/rematerialization.h"

namespace portolan {

namespace {

/// More than any device has: so much that what lives after the passes is never the most.
constexpr Bytes kMoreThanAnything(std::int64_t{1} << 52);

/// What one microbatch's backward takes in a layer.
Seconds backward_of(const BlockCosts& costs) { return costs.layer.whole_backward() + costs.layer.weight; }

/// In a chunk at `place`, as ClosedForm::layers_memory counts it.
LayerChoice choice_of(const BlockCosts& costs, Seconds without, StagePlace place) {
  const StageShape& layer = costs.layer_shape;
  const auto at = [&](StagePlace end) -> const StageShape& {
    return costs.stages[static_cast<std::size_t>(end)];
  };
  const bool embeds = place == StagePlace::kFirst || place == StagePlace::kOnly;
  const Bytes embedding = embeds ? at(StagePlace::kFirst).saved - layer.saved : Bytes(0);
  return {.saved = layer.saved,
          .deferred = layer.deferred,
          .peak = layer.peak + embedding,
          .peak_at_end = at(place).peak,
          .recompute = backward_of(costs) - without};
}

/// Sets of groups, those with names first: of sets that come to the same kernels the first is taken.
std::vector<RecomputeSet> sets_of_groups() {
  std::vector<RecomputeSet> sets = {recompute_none(), recompute_selective(), recompute_full()};
  const unsigned long full = recompute_full().to_ulong();
  for (unsigned long groups = 1; groups < full; ++groups) {
    if ((groups & ~full) == 0) {
      sets.emplace_back(groups);
    }
  }
  return sets;
}

Recompute recompute_everywhere(const RecomputeSet& set) { return {.all_layers = set, .per_layer = {}}; }

/// One set for all layers where they are alike.
Recompute recompute_of_layers(std::vector<RecomputeSet> sets) {
  Recompute recompute;
  if (std::adjacent_find(sets.begin(), sets.end(), std::not_equal_to<>()) == sets.end()) {
    recompute.all_layers = sets.front();
  } else {
    recompute.per_layer = std::move(sets);
  }
  return recompute;
}

}  // namespace

const ClosedForm::LayerChoiceSets& ClosedForm::layer_choices(const Strategy& s, LayerKind kind,
                                                             StagePlace place) {
  const std::pair key(block_key(s, recompute_none(), kind), place);
  if (const auto found = layer_choices_.find(key); found != layer_choices_.end()) {
    return found->second;
  }
  const BlockOptions options = block_options(scenario_, s);
  const Block layer = layer_block(scenario_.model, options, kind);
  const bool whole = scenario_.software.recompute_whole_group.value;
  LayerChoiceSets all;
  Seconds without;
  std::set<std::vector<bool>> seen;
  for (const RecomputeSet& set : sets_of_groups()) {
    if (!seen.insert(kernels_to_recompute(layer, set, whole)).second) {
      continue;
    }
    const BlockCosts& costs = blocks(s, set, kind);
    without = set.none() ? backward_of(costs) : without;
    all.sets.push_back(set);
    all.choices.push_back(choice_of(costs, without, place));
  }
  LayerChoiceSets left{.sets = {all.sets.front()}, .choices = {all.choices.front()}};
  for (const std::size_t i : undominated_choices(all.choices)) {
    if (i > 0) {
      left.sets.push_back(all.sets[i]);
      left.choices.push_back(all.choices[i]);
    }
  }
  return layer_choices_.emplace(key, std::move(left)).first->second;
}

/// Precondition: `s` recomputes nothing, and `sums` are its own. What of its memory does not depend on the
/// choices is told by comparing it with what the problem says of that.
RematerializationProblem ClosedForm::stage_problem(const Strategy& s, const Chunks& chunks,
                                                   const StageSums& sums, std::int32_t stage) {
  const PipelinePosition position = position_of(s, stage);
  const std::int32_t last = (s.virtual_stages - 1) * s.pipeline_parallel + stage;
  const StagePlace place = stage_place(last, s.pipeline_parallel * s.virtual_stages);
  RematerializationProblem problem;
  for (const LayerKind kind : {LayerKind::kDense, LayerKind::kExperts}) {
    const bool there = num_layers_of(scenario_.model, kind) > 0;
    problem.kinds.push_back(there ? layer_choices(s, kind, place).choices : std::vector{LayerChoice{}});
  }
  const auto layers_of = [&](std::int32_t k) {
    const LayerRange& range = chunks.layers[static_cast<std::size_t>(k)];
    std::vector<std::size_t> kinds;
    for (std::int32_t i = 0; i < range.count; ++i) {
      kinds.push_back(static_cast<std::size_t>(layer_kind(scenario_.model, range.first + i)));
    }
    return kinds;
  };
  const auto memory_of = [&](std::int32_t k) -> const LayersMemory& {
    return sums.chunks[chunks.kinds[static_cast<std::size_t>(k)]].memory;
  };
  const auto first_of = [&](const std::vector<std::size_t>& kinds, Bytes LayerChoice::*size) {
    Bytes bytes;
    for (const std::size_t kind : kinds) {
      bytes += problem.kinds[kind].front().*size;
    }
    return bytes;
  };
  problem.budget = scenario_.hardware.device.memory.value + kMoreThanAnything -
                   stage_memory(s, sums, stage, kMoreThanAnything).reserved;
  for (std::int32_t c = 0; c + 1 < s.virtual_stages; ++c) {
    const std::int32_t k = c * s.pipeline_parallel + stage;
    const std::int32_t num_saved = forwards_before_backward(s, position, c);
    problem.held.push_back({.layers = layers_of(k), .num_saved = num_saved});
    const Bytes beside = memory_of(k).saved - first_of(problem.held.back().layers, &LayerChoice::saved);
    problem.budget = problem.budget - beside * num_saved;
  }
  problem.running = layers_of(last);
  // The highest peak alone, as the problem has it.
  RematerializationProblem running = problem;
  running.held.clear();
  running.moments = {{}};
  const Bytes peak = rematerialized_memory(running, LayerChoices(running.running.size(), 0));
  problem.budget = problem.budget - (memory_of(last).peak - peak);
  problem.saved_beside = memory_of(last).saved - first_of(problem.running, &LayerChoice::saved);
  problem.deferred_beside = memory_of(last).deferred - first_of(problem.running, &LayerChoice::deferred);
  for (const RematerializationProblem::Moment& moment : moments(s, position)) {
    if (problem.moments.empty() || problem.moments.back() != moment) {
      problem.moments.push_back(moment);
    }
  }
  return problem;
}

bool ClosedForm::solve_stages(const Strategy& s, double tolerance, Recompute& recompute) {
  const Bytes spare = s.recompute.optimal ? s.recompute.optimal->spare : Bytes(0);
  Strategy none = s;
  none.recompute = {};
  first_blocks_ = nullptr;
  const Chunks chunks = chunks_of(none);
  const StageSums sums = stage_sums(none, machine(none));
  std::vector<RecomputeSet> sets(static_cast<std::size_t>(scenario_.model.num_layers), recompute_full());
  bool all_fit = true;
  for (std::int32_t stage = 0; stage < s.pipeline_parallel; ++stage) {
    RematerializationProblem problem = stage_problem(none, chunks, sums, stage);
    problem.budget = problem.budget - spare;
    const std::optional<Rematerialization> found = rematerialize(problem, tolerance);
    if (!found) {
      all_fit = false;
      continue;
    }
    const std::int32_t last = (s.virtual_stages - 1) * s.pipeline_parallel + stage;
    const StagePlace place = stage_place(last, s.pipeline_parallel * s.virtual_stages);
    std::size_t at = 0;
    const auto take = [&](std::int32_t k) {
      const LayerRange& range = chunks.layers[static_cast<std::size_t>(k)];
      for (std::int32_t layer = range.first; layer < range.first + range.count; ++layer) {
        const LayerChoiceSets& of_layer = layer_choices(none, layer_kind(scenario_.model, layer), place);
        sets[static_cast<std::size_t>(layer)] = of_layer.sets[found->choices[at++]];
      }
    };
    take(last);
    for (std::int32_t k = stage; k < last; k += s.pipeline_parallel) {
      take(k);
    }
  }
  recompute = recompute_of_layers(std::move(sets));
  return all_fit;
}

/// A stage holds at least what one of its layers runs backward with; nothing is less than in one that
/// recomputes nothing.
bool ClosedForm::is_hopeless(const Strategy& s, Bytes there) {
  Strategy full = s;
  full.recompute = recompute_everywhere(recompute_full());
  const std::vector<StageMemory> stages = evaluate(full).stage_memory;
  Bytes least = kMoreThanAnything;
  for (const LayerKind kind : {LayerKind::kDense, LayerKind::kExperts}) {
    if (num_layers_of(scenario_.model, kind) > 0) {
      least = std::min(least, blocks(s, recompute_none(), kind).layer_shape.peak);
    }
  }
  const std::vector<std::int32_t> layers = layers_of_stages(scenario_, s);
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    const StageMemory& memory = stages[stage];
    // Where most is held after the passes, the estimate counts no activations.
    const bool runs_layers = layers[stage] > 0 && memory.activations > Bytes(0);
    if (memory.reserved - memory.activations + (runs_layers ? least : Bytes(0)) > there) {
      return true;
    }
  }
  return false;
}

Recompute ClosedForm::optimal_recompute(const Strategy& s, double tolerance) {
  const RecomputeOptimal asked = s.recompute.optimal.value_or(RecomputeOptimal{});
  const Bytes there = scenario_.hardware.device.memory.value - asked.spare;
  Recompute best = recompute_everywhere(recompute_none());
  const auto outcome_of = [&](const Recompute& recompute) {
    Strategy strategy = s;
    strategy.recompute = recompute;
    return outcome(strategy);
  };
  Outcome best_outcome = outcome_of(best);
  const auto compare = [&](const Recompute& other) {
    const Outcome its = outcome_of(other);
    const bool best_fits = best_outcome.peak_memory <= there, fits = its.peak_memory <= there;
    const bool better = fits == best_fits ? (fits ? its.step_time < best_outcome.step_time
                                                  : its.peak_memory < best_outcome.peak_memory)
                                          : fits;
    if (better) {
      best_outcome = its;
      best = other;
    }
  };
  const auto chosen = [&] {
    best.optimal = RecomputeOptimal{.spare = asked.spare, .chosen = true};
    return best;
  };
  compare(recompute_everywhere(recompute_full()));
  if ((best.all_layers.none() && best_outcome.peak_memory <= there) || is_hopeless(s, there)) {
    return chosen();
  }
  Recompute solved;
  const bool all_fit = solve_stages(s, tolerance, solved);
  compare(solved);
  compare(recompute_everywhere(recompute_selective()));
  const std::vector<std::int32_t> layers = layers_of_stages(scenario_, s);
  const std::int32_t most = *std::max_element(layers.begin(), layers.end());
  for (std::int32_t n = 1; n < most; ++n) {
    compare(recompute_of(RecomputeBlock{.num_layers = n}, layers));
  }
  // Groups run again all that full recomputation does, and more: they are worth it only where no sets fit.
  for (std::int32_t n = 2; n <= most && !all_fit; ++n) {
    compare({.all_layers = recompute_full(), .per_layer = {}, .layers_per_group = n});
  }
  return chosen();
}

}  // namespace portolan
