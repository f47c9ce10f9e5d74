#include "plan/rematerialization.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <tuple>

#include "plan/rematerialization_bound.h"

namespace portolan {

namespace {

constexpr double kForever = std::numeric_limits<double>::infinity();
/// What counts as faster, as a share of the time.
constexpr double kLeastGain = 1e-12;
/// States for each layer in the pass that finds the first choices.
constexpr std::size_t kFewStates = 8;

/// What the running chunk saves, has put off and holds at most.
struct StackMemory {
  std::int64_t saved = 0;
  std::int64_t deferred = 0;
  std::int64_t peak = 0;

  /// Adds a layer on top.
  void add(const LayerChoice& layer, bool is_at_end) {
    const Bytes own = is_at_end ? layer.peak_at_end : layer.peak;
    peak = std::max(peak + layer.deferred.value, saved + own.value);
    saved += layer.saved.value;
    deferred += layer.deferred.value;
  }
};

std::int64_t at_fullest_moment(const RematerializationProblem& problem, const StackMemory& stack) {
  std::int64_t most = 0;
  for (const RematerializationProblem::Moment& moment : problem.moments) {
    most = std::max(most, (stack.saved + problem.saved_beside.value) * moment.num_saved + stack.peak +
                              (stack.deferred + problem.deferred_beside.value) * moment.num_deferred);
  }
  return most;
}

/// Layers of the stage in the order in which choices are made for them: of the running chunk, then of held
/// ones.
struct StageLayer {
  std::size_t kind = 0;
  std::int64_t num_saved = 0;  ///< microbatches, beside the one in backward
};

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

/// Weights of what layers save. With `in_backward` those of the running chunk count once more.
std::vector<RecomputeHull::Layer> weighted(const std::vector<StageLayer>& layers, std::size_t num_running,
                                           bool in_backward) {
  std::vector<RecomputeHull::Layer> list;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    list.push_back({layers[i].kind, layers[i].num_saved + (in_backward && i < num_running ? 1 : 0)});
  }
  return list;
}

/// Choices for the first layers of a stage. Behind the running chunk `stack.saved` is all that is held, and
/// the other sizes are 0.
struct State {
  StackMemory stack;
  double recompute = 0;
  double least = 0;        ///< of any choices that begin like this
  std::size_t parent = 0;  ///< in the list of links
  std::size_t choice = 0;  ///< of the last layer

  bool dominates(const State& other) const {
    return recompute <= other.recompute && stack.saved <= other.stack.saved &&
           stack.peak <= other.stack.peak && stack.deferred <= other.stack.deferred;
  }
};

class StackSearch {
 public:
  explicit StackSearch(const RematerializationProblem& problem)
      : problem_(problem),
        layers_(layers_of(problem)),
        num_running_(problem.running.size()),
        with_backward_(problem.kinds, weighted(layers_, num_running_, true)),
        beside_backward_(problem.kinds, weighted(layers_, num_running_, false)) {
    for (const std::vector<LayerChoice>& choices : problem.kinds) {
      allowed_.push_back(undominated_choices(choices));
      Bytes peak(std::numeric_limits<std::int64_t>::max()), put_off;
      for (const LayerChoice& choice : choices) {
        peak = std::min({peak, choice.peak, choice.peak_at_end});
        put_off = std::max(put_off, choice.deferred);
      }
      least_lift_.push_back((peak - put_off).value);
    }
    if (num_running_ > 0) {
      const auto beside_saved = [](const LayerChoice& choice) {
        return (choice.peak_at_end - choice.saved).value;
      };
      const std::vector<LayerChoice>& top = problem.kinds[problem.running.back()];
      const auto least =
          std::min_element(top.begin(), top.end(), [&](const LayerChoice& one, const LayerChoice& other) {
            return beside_saved(one) < beside_saved(other);
          });
      least_at_top_ = beside_saved(*least);
    }
  }

  /// One pass over the layers; returns whether it kept all states that could become better than the best.
  bool pass(std::size_t most_states) {
    bool kept_all = true;
    links_.assign(1, {});
    std::vector<State> states(1);
    if (num_running_ == 0) {
      states.front().stack.saved = at_fullest_moment(problem_, {});
    }
    for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
      states = extended(states, layer);
      kept_all = keep_best(states, most_states) && kept_all;
      for (State& state : states) {
        links_.push_back({state.parent, state.choice});
        state.parent = links_.size() - 1;
      }
    }
    for (const State& state : states) {
      if (state.stack.saved <= problem_.budget.value && state.recompute < best_time_) {
        best_time_ = state.recompute;
        best_ = choices_of(state);
      }
    }
    return kept_all;
  }

  const std::optional<LayerChoices>& best() const { return best_; }

 private:
  struct Link {
    std::size_t parent = 0;
    std::size_t choice = 0;
  };

  /// Of any choices that begin like `state`, which has chosen for all layers before `next`.
  double least_recompute(const State& state, std::size_t next) const {
    const StackMemory& stack = state.stack;
    if (next >= num_running_) {
      return state.recompute + with_backward_.least_recompute(next, problem_.budget.value - stack.saved);
    }
    const std::int64_t left =
        problem_.budget.value - (stack.saved + problem_.saved_beside.value) * layers_.front().num_saved;
    return state.recompute +
           std::max(beside_backward_.least_recompute(next, left - stack.peak),
                    with_backward_.least_recompute(next, left - stack.saved - least_at_top_));
  }

  State longer_by(const State& state, std::size_t layer, std::size_t choice) const {
    const LayerChoice& own = problem_.kinds[layers_[layer].kind][choice];
    State next = state;
    next.choice = choice;
    next.recompute += own.recompute.value;
    if (layer >= num_running_) {
      next.stack.saved += own.saved.value * layers_[layer].num_saved;
      return next;
    }
    const bool is_last = layer + 1 == num_running_;
    next.stack.add(own, layer == 0 || is_last);
    if (is_last) {
      next.stack = {.saved = at_fullest_moment(problem_, next.stack)};
    } else {  // a peak below what the next layer makes of it is as good as that
      next.stack.peak = std::max(next.stack.peak, next.stack.saved + least_lift_[layers_[layer + 1].kind]);
    }
    return next;
  }

  std::vector<State> extended(const std::vector<State>& states, std::size_t layer) const {
    std::vector<State> next;
    const double worth = best_ ? best_time_ - std::abs(best_time_) * kLeastGain : kForever;
    for (const State& state : states) {
      for (const std::size_t choice : allowed_[layers_[layer].kind]) {
        State longer = longer_by(state, layer, choice);
        longer.least = least_recompute(longer, layer + 1);
        if (longer.least < worth) {
          next.push_back(longer);
        }
      }
    }
    return next;
  }

  /// Leaves the undominated ones, of these the most promising; returns whether that is all of them.
  static bool keep_best(std::vector<State>& states, std::size_t most_states) {
    std::sort(states.begin(), states.end(), [](const State& one, const State& other) {
      const auto key = [](const State& s) {
        return std::tuple(s.recompute, s.stack.saved, s.stack.peak, s.stack.deferred, s.choice, s.parent);
      };
      return key(one) < key(other);
    });
    std::size_t kept = 0;
    for (const State& state : states) {
      const auto end = states.begin() + static_cast<std::ptrdiff_t>(kept);
      if (std::none_of(states.begin(), end, [&](const State& other) { return other.dominates(state); })) {
        states[kept++] = state;
      }
    }
    states.resize(kept);
    if (kept <= most_states) {
      return true;
    }
    std::nth_element(states.begin(), states.begin() + static_cast<std::ptrdiff_t>(most_states), states.end(),
                     [](const State& one, const State& other) { return one.least < other.least; });
    states.resize(most_states);
    return false;
  }

  LayerChoices choices_of(const State& state) const {
    LayerChoices choices(layers_.size());
    std::size_t link = state.parent;
    for (std::size_t layer = layers_.size(); layer-- > 0; link = links_[link].parent) {
      choices[layer] = links_[link].choice;
    }
    return choices;
  }

  const RematerializationProblem& problem_;
  std::vector<StageLayer> layers_;
  std::size_t num_running_;
  RecomputeHull with_backward_;    ///< of the budget without what the highest layer holds beside its saved
  RecomputeHull beside_backward_;  ///< ... without the peak so far
  std::vector<std::vector<std::size_t>> allowed_;  ///< choices of each kind
  std::vector<std::int64_t> least_lift_;  ///< by kind: its least peak beside the most that it puts off
  std::int64_t least_at_top_ = 0;
  std::vector<Link> links_;  ///< from states back to the first layer
  double best_time_ = kForever;
  std::optional<LayerChoices> best_;
};

}  // namespace

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

std::optional<Rematerialization> rematerialize(const RematerializationProblem& problem) {
  assert(!problem.moments.empty());
  StackSearch search(problem);
  if (!search.pass(kFewStates)) {
    search.pass(std::numeric_limits<std::size_t>::max());
  }
  if (!search.best()) {
    return std::nullopt;
  }
  Rematerialization found{.choices = in_order(problem, *search.best()), .recompute = {}, .memory = {}};
  found.memory = rematerialized_memory(problem, found.choices);
  const std::vector<StageLayer> layers = layers_of(problem);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    found.recompute += problem.kinds[layers[i].kind][found.choices[i]].recompute;
  }
  return found;
}

}  // namespace portolan
