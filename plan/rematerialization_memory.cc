#include "plan/rematerialization_memory.h"

namespace portolan {

std::int64_t at_fullest_moment(const RematerializationProblem& problem, const StackMemory& stack) {
  std::int64_t most = 0;
  for (const RematerializationProblem::Moment& moment : problem.moments) {
    most = std::max(most, (stack.saved + problem.saved_beside.value) * moment.num_saved + stack.peak +
                              (stack.deferred + problem.deferred_beside.value) * moment.num_deferred);
  }
  return most;
}

std::vector<StageLayer> layers_of(const RematerializationProblem& problem) {
  std::int64_t most = 0;
  for (const RematerializationProblem::Moment& moment : problem.moments) {
    most = std::max(most, moment.num_saved);
  }
  std::vector<StageLayer> layers;
  for (const std::size_t kind : problem.running) {
    layers.push_back({kind, most});
  }
  for (const RematerializationProblem::HeldChunk& chunk : problem.held) {
    for (const std::size_t kind : chunk.layers) {
      layers.push_back({kind, chunk.num_saved});
    }
  }
  return layers;
}

Bytes rematerialized_memory(const RematerializationProblem& problem, const LayerChoices& choices) {
  const std::vector<StageLayer> layers = layers_of(problem);
  const std::size_t n = problem.running.size();
  StackMemory stack;
  std::int64_t held = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const LayerChoice& own = problem.kinds[layers[i].kind][choices[i]];
    if (i < n) {
      stack.add(own, i == 0 || i + 1 == n);
    } else {
      held += own.saved.value * layers[i].num_saved;
    }
  }
  return Bytes(at_fullest_moment(problem, stack) + held);
}

}  // namespace portolan
