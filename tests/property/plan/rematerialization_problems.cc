#include "rematerialization_problems.h"

#include <algorithm>

namespace portolan {

namespace {

std::int64_t number(std::mt19937_64& random, std::int64_t least, std::int64_t most) {
  return std::uniform_int_distribution<std::int64_t>(least, most)(random);
}

std::vector<std::size_t> some_layers(std::mt19937_64& random, std::int64_t count, std::size_t num_kinds) {
  std::vector<std::size_t> layers;
  for (std::int64_t i = 0; i < count; ++i) {
    layers.push_back(static_cast<std::size_t>(number(random, 0, static_cast<std::int64_t>(num_kinds) - 1)));
  }
  return layers;
}

/// Each layer with the choice that saves least, or most.
Bytes memory_at_end(const RematerializationProblem& problem, bool least) {
  LayerChoices choices;
  const auto add = [&](const std::vector<std::size_t>& layers) {
    for (const std::size_t kind : layers) {
      const std::vector<LayerChoice>& all = problem.kinds[kind];
      const auto by_saved = [](const LayerChoice& one, const LayerChoice& other) {
        return one.saved < other.saved;
      };
      const auto found = least ? std::min_element(all.begin(), all.end(), by_saved)
                               : std::max_element(all.begin(), all.end(), by_saved);
      choices.push_back(static_cast<std::size_t>(found - all.begin()));
    }
  };
  add(problem.running);
  for (const RematerializationProblem::HeldChunk& chunk : problem.held) {
    add(chunk.layers);
  }
  return rematerialized_memory(problem, choices);
}

}  // namespace

RematerializationProblem made_up_problem(std::mt19937_64& random, const ProblemSizes& sizes) {
  RematerializationProblem problem;
  const bool split = number(random, 0, 2) == 0;  // backward, with weight gradients put off
  const std::int64_t num_kinds = number(random, 1, sizes.most_kinds);
  for (std::int64_t kind = 0; kind < num_kinds; ++kind) {
    std::vector<LayerChoice> choices;
    for (std::int64_t i = number(random, 1, sizes.most_choices); i > 0; --i) {
      const std::int64_t saved = number(random, 1, 200);
      const std::int64_t deferred = split ? number(random, 0, 150) : 0;
      const std::int64_t peak = std::max(saved, deferred) + number(random, 0, 300);
      choices.push_back({.saved = Bytes(saved),
                         .deferred = Bytes(deferred),
                         .peak = Bytes(peak),
                         .peak_at_end = Bytes(peak + number(random, 0, 1) * number(random, 0, 200)),
                         .recompute = Seconds(static_cast<double>(number(random, 0, 40)))});
    }
    problem.kinds.push_back(std::move(choices));
  }
  problem.running = some_layers(random, number(random, 1, sizes.most_layers), problem.kinds.size());
  problem.saved_beside = Bytes(number(random, 0, 50));
  problem.deferred_beside = Bytes(split ? number(random, 0, 50) : 0);
  for (std::int64_t i = number(random, 1, split ? 3 : 1); i > 0; --i) {
    problem.moments.push_back({number(random, 0, 4), split ? number(random, 0, 3) : 0});
  }
  for (std::int64_t i = number(random, 0, split ? 0 : 2); i > 0; --i) {
    problem.held.push_back({some_layers(random, number(random, 0, sizes.most_held), problem.kinds.size()),
                            number(random, 1, 4)});
  }
  const Bytes least = memory_at_end(problem, true), most = memory_at_end(problem, false);
  problem.budget = Bytes(number(random, least.value * 9 / 10, std::max(most.value, least.value)));
  return problem;
}

}  // namespace portolan
