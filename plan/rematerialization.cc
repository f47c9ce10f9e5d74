#include "plan/rematerialization.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "plan/rematerialization_memory.h"
#include "plan/rematerialization_search.h"

namespace portolan {

std::vector<std::size_t> undominated_choices(const std::vector<LayerChoice>& choices) {
  const auto no_worse = [](const LayerChoice& one, const LayerChoice& other) {
    return one.saved <= other.saved && one.deferred <= other.deferred && one.peak <= other.peak &&
           one.peak_at_end <= other.peak_at_end && one.recompute <= other.recompute;
  };
  std::vector<std::size_t> left;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    bool beaten = false;
    for (std::size_t k = 0; k < choices.size() && !beaten; ++k) {
      const bool equal = choices[k] == choices[i];
      beaten = equal ? k < i : no_worse(choices[k], choices[i]);
    }
    if (!beaten) {
      left.push_back(i);
    }
  }
  return left;
}

namespace {

/// The same choices with those that save least in the lowest layers of each kind and chunk, which is easier
/// to read, where they fit like that too.
LayerChoices in_order(const RematerializationProblem& problem, const LayerChoices& choices) {
  const std::vector<StageLayer> layers = layers_of(problem);
  LayerChoices ordered = choices;
  const auto sort_chunk = [&](std::size_t first, std::size_t end) {
    for (std::size_t kind = 0; kind < problem.kinds.size(); ++kind) {
      LayerChoices of_kind;
      for (std::size_t i = first; i < end; ++i) {
        if (layers[i].kind == kind) {
          of_kind.push_back(choices[i]);
        }
      }
      std::sort(of_kind.begin(), of_kind.end(), [&](std::size_t one, std::size_t other) {
        const auto key = [&](std::size_t choice) {
          return std::pair(problem.kinds[kind][choice].saved, choice);
        };
        return key(one) < key(other);
      });
      auto next = of_kind.begin();
      for (std::size_t i = first; i < end; ++i) {
        if (layers[i].kind == kind) {
          ordered[i] = *next++;
        }
      }
    }
  };
  std::size_t first = problem.running.size();
  sort_chunk(0, problem.running.size());
  for (const RematerializationProblem::HeldChunk& chunk : problem.held) {
    const std::size_t end = first + chunk.layers.size();
    sort_chunk(first, end);
    first = end;
  }
  return rematerialized_memory(problem, ordered) <= problem.budget ? ordered : choices;
}

}  // namespace

std::optional<Rematerialization> rematerialize(const RematerializationProblem& problem, double tolerance) {
  assert(!problem.moments.empty());
  const std::optional<LayerChoices> fastest = fastest_choices(problem, tolerance);
  if (!fastest) {
    return std::nullopt;
  }
  Rematerialization found{.choices = in_order(problem, *fastest), .recompute = {}, .memory = {}};
  found.memory = rematerialized_memory(problem, found.choices);
  const std::vector<StageLayer> layers = layers_of(problem);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    found.recompute += problem.kinds[layers[i].kind][found.choices[i]].recompute;
  }
  return found;
}

}  // namespace portolan
