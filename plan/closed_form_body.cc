// What the closed form knows before it is known who shares what: bounds for a search.
#include <algorithm>

#include "plan/closed_form.h"
#include "plan/legality.h"
#include "plan/rematerialization_bound.h"
#include "plan/rematerialization_memory.h"
#include "plan/schedule.h"

namespace portolan {

namespace {

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

ClosedForm::Body ClosedForm::body(const Strategy& s) {
  first_blocks_ = nullptr;
  Body body;
  body.sums_ = stage_sums(s, machine(s), Waits::kLeftOut);
  const auto p = static_cast<std::size_t>(s.pipeline_parallel);
  const std::vector<ChunkPass>& chunks = body.sums_.passes.chunks;
  const double m = num_microbatches(scenario_, s);
  Seconds forwards, backwards;  // of all stages before this one, of their first chunk
  for (std::size_t i = 0; i < p; ++i) {
    Seconds passes, weights;
    for (std::size_t k = i; k < chunks.size(); k += p) {
      passes += chunks[k].forward + chunks[k].backward;
      weights += chunks[k].weight;
    }
    // Weight gradients may be what a stage does last, after the backwards of those before it.
    const Seconds ends = forwards + passes * m + std::max(backwards, weights * m);
    body.ends_.push_back(ends);
    body.step_time_ = std::max(body.step_time_, ends);
    forwards += chunks[i].forward;
    backwards += chunks[i].backward;
  }
  const BlockTime& first = body.sums_.of(0).time;
  body.busy_ = (first.forward + first.backward + first.weight + first.recompute) * m;
  for (std::size_t i = 0; i < p; ++i) {
    const auto index = static_cast<std::int32_t>(i);
    const Bytes held = activations(s, position_of(s, index), body.sums_);
    if (i == 0 || body.sums_.kinds[i] != body.sums_.kinds[i - 1]) {
      body.fullest_.push_back({index, held});
    } else if (held > body.fullest_.back().activations) {
      body.fullest_.back() = {index, held};
    }
  }
  return body;
}

Bytes ClosedForm::least_memory(const Strategy& s, const Body& body) {
  first_blocks_ = nullptr;
  Bytes most;
  for (const Body::Stage& stage : body.fullest_) {
    most = std::max(most, stage_memory(s, body.sums_, stage.index, stage.activations).reserved);
  }
  return most;
}

Seconds ClosedForm::least_time_that_fits(const Strategy& s, const Body& body) {
  first_blocks_ = nullptr;
  Strategy none = s;
  none.recompute = {};
  const Chunks chunks = chunks_of(none);
  const double m = num_microbatches(scenario_, s);
  Seconds least = body.step_time_;
  for (const Body::Stage& stage : body.fullest_) {
    const RematerializationProblem problem = stage_problem(none, chunks, body.sums_, stage.index);
    least = std::max(least, body.ends_[static_cast<std::size_t>(stage.index)] + least_recompute(problem) * m);
  }
  return least;
}

}  // namespace portolan
