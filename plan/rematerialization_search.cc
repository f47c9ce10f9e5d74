#include "plan/rematerialization_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>

#include "plan/rematerialization_bound.h"
#include "plan/rematerialization_memory.h"

namespace portolan {

namespace {

constexpr double kForever = std::numeric_limits<double>::infinity();
/// States for each layer in the first pass, and so many times more in each further one.
constexpr std::size_t kFewStates = 8;
constexpr std::size_t kMoreStates = 8;

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
  StackSearch(const RematerializationProblem& problem, double tolerance)
      : problem_(problem),
        tolerance_(tolerance),
        layers_(layers_of(problem)),
        num_running_(problem.running.size()),
        with_backward_(problem.kinds, weighted(layers_, num_running_, true)),
        beside_backward_(problem.kinds, weighted(layers_, num_running_, false)) {
    std::vector<std::vector<std::size_t>> undominated;
    for (const std::vector<LayerChoice>& choices : problem.kinds) {
      undominated.push_back(undominated_choices(choices));
      Bytes peak(std::numeric_limits<std::int64_t>::max()), put_off;
      for (const LayerChoice& choice : choices) {
        peak = std::min({peak, choice.peak, choice.peak_at_end});
        put_off = std::max(put_off, choice.deferred);
      }
      least_lift_.push_back((peak - put_off).value);
    }
    for (const StageLayer& layer : layers_) {
      allowed_.push_back(undominated[layer.kind]);
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
    drop_choices();
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

  double worth_looking_at() const {
    return best_ ? best_time_ - std::abs(best_time_) * tolerance_ : kForever;
  }

  /// Those of each layer that none faster than the best takes: at the price of a byte that the bound of all
  /// layers has, each costs more than the layer's cheapest by what it adds to that bound.
  void drop_choices() {
    if (!best_ || num_running_ == 0) {
      return;
    }
    const std::int64_t left =
        problem_.budget.value - problem_.saved_beside.value * layers_.front().num_saved - least_at_top_;
    const double bound = with_backward_.least_recompute(0, left);
    const double price = with_backward_.seconds_per_byte(0, left);
    for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
      const StageLayer& own = layers_[layer];
      const std::int64_t weight = own.num_saved + (layer < num_running_ ? 1 : 0);
      const auto cost = [&](std::size_t choice) {
        const LayerChoice& taken = problem_.kinds[own.kind][choice];
        return taken.recompute.value + price * static_cast<double>(taken.saved.value * weight);
      };
      double least = kForever;
      for (const std::size_t choice : allowed_[layer]) {
        least = std::min(least, cost(choice));
      }
      std::erase_if(allowed_[layer],
                    [&](std::size_t choice) { return bound + cost(choice) - least >= worth_looking_at(); });
    }
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
    const double worth = worth_looking_at();
    for (const State& state : states) {
      for (const std::size_t choice : allowed_[layer]) {
        State longer = longer_by(state, layer, choice);
        longer.least = least_recompute(longer, layer + 1);
        if (longer.least < worth) {
          next.push_back(longer);
        }
      }
    }
    return next;
  }

  /// `states`: in the order of their times.
  static void drop_dominated(std::vector<State>& states) {
    std::size_t kept = 0;
    for (const State& state : states) {
      const auto end = states.begin() + static_cast<std::ptrdiff_t>(kept);
      if (std::none_of(states.begin(), end, [&](const State& other) { return other.dominates(state); })) {
        states[kept++] = state;
      }
    }
    states.resize(kept);
  }
  /// The same where they have put off the same.
  static void drop_dominated_by_peak(std::vector<State>& states) {
    std::map<std::int64_t, std::int64_t> least_peaks;  // by what is saved at most: the more, the lower
    std::size_t kept = 0;
    for (const State& state : states) {
      const auto above = least_peaks.upper_bound(state.stack.saved);
      if (above != least_peaks.begin() && std::prev(above)->second <= state.stack.peak) {
        continue;
      }
      auto end = least_peaks.lower_bound(state.stack.saved);
      const auto first = end;
      while (end != least_peaks.end() && end->second >= state.stack.peak) {
        ++end;
      }
      least_peaks.erase(first, end);
      least_peaks.emplace(state.stack.saved, state.stack.peak);
      states[kept++] = state;
    }
    states.resize(kept);
  }

  /// Leaves the undominated ones, of these the most promising; returns whether that is all of them.
  static bool keep_best(std::vector<State>& states, std::size_t most_states) {
    std::sort(states.begin(), states.end(), [](const State& one, const State& other) {
      const auto key = [](const State& s) {
        return std::tuple(s.recompute, s.stack.saved, s.stack.peak, s.stack.deferred, s.choice, s.parent);
      };
      return key(one) < key(other);
    });
    const auto put_off = [](const State& state) { return state.stack.deferred; };
    const bool alike = std::all_of(states.begin(), states.end(), [&](const State& state) {
      return put_off(state) == put_off(states.front());
    });
    alike ? drop_dominated_by_peak(states) : drop_dominated(states);
    if (states.size() <= most_states) {
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
  double tolerance_;  ///< what counts as faster, as a share of the time
  std::vector<StageLayer> layers_;
  std::size_t num_running_;
  RecomputeHull with_backward_;    ///< of the budget without what the highest layer holds beside its saved
  RecomputeHull beside_backward_;  ///< ... without the peak so far
  std::vector<std::vector<std::size_t>> allowed_;  ///< choices of each layer
  std::vector<std::int64_t> least_lift_;  ///< by kind: its least peak beside the most that it puts off
  std::int64_t least_at_top_ = 0;
  std::vector<Link> links_;  ///< from states back to the first layer
  double best_time_ = kForever;
  std::optional<LayerChoices> best_;
};

}  // namespace

std::optional<LayerChoices> fastest_choices(const RematerializationProblem& problem, double tolerance) {
  StackSearch search(problem, tolerance);
  for (std::size_t most = kFewStates; !search.pass(most); most *= kMoreStates) {
  }
  return search.best();
}

}  // namespace portolan
