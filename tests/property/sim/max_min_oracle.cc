#include "tests/property/sim/max_min_oracle.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

namespace portolan::testing {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

class Oracle {
 public:
  explicit Oracle(const ActivityGraph& graph) : graph_(graph), states_(graph.activities.size()) {
    times_.start_s.assign(states_.size(), 0.0);
    times_.end_s.assign(states_.size(), 0.0);
    for (std::size_t i = 0; i < states_.size(); ++i) states_[i].waiting_for = graph.num_predecessors[i];
    for (const SharedLink& link : graph.links) bandwidth_.push_back(link.bandwidth.value);
    speed_.assign(static_cast<std::size_t>(graph.num_devices), 1.0);
    change_rates();
  }

  ActivityTimes run() {
    for (std::size_t i = 0; i < states_.size(); ++i) {
      if (graph_.num_predecessors[i] == 0) start(i);
    }
    for (;;) {
      fill_progressively();
      const double step = time_to_next_event();
      if (step == kNever) break;
      const double until_change =
          next_change_ < graph_.changes.size() ? graph_.changes[next_change_].at.value - now_ : kNever;
      advance(std::min(step, until_change));
      if (until_change <= step) change_rates();
    }
    times_.makespan = Seconds(now_);
    return times_;
  }

 private:
  struct State {
    int waiting_for = 0;
    bool is_under_way = false;
    double delay_s = 0;  // of compute, or latency not yet waited for
    double bytes = 0;    // still to move once the delay is over
    double rate = 0;
  };

  const Activity& activity(std::size_t i) const { return graph_.activities[i]; }

  /// Those that are due.
  void change_rates() {
    for (;
         next_change_ < graph_.changes.size() && graph_.changes[next_change_].at.value <= now_ * (1 + 1e-15);
         ++next_change_) {
      const RateChange& change = graph_.changes[next_change_];
      const auto at = static_cast<std::size_t>(change.index);
      if (change.kind == RateChange::Kind::kLink) {
        bandwidth_[at] = graph_.links[at].bandwidth.value * change.share;
      } else {
        speed_[at] = change.share;
      }
    }
  }

  /// How fast a delay passes: of compute, by its device's speed.
  double pace(std::size_t i) const {
    const Activity& one = activity(i);
    if (one.kind != Activity::Kind::kCompute || one.seconds <= Seconds(0)) return 1;
    const double scaled = (one.seconds - one.fixed).value / speed_[static_cast<std::size_t>(one.device)];
    return one.seconds.value / (scaled + one.fixed.value);
  }

  void start(std::size_t i) {
    State& state = states_[i];
    times_.start_s[i] = now_;
    state.is_under_way = true;
    if (activity(i).kind == Activity::Kind::kCompute) state.delay_s = activity(i).seconds.value;
    if (activity(i).kind == Activity::Kind::kTransfer) {
      state.delay_s = activity(i).latency.value;
      if (!graph_.links_of_path(activity(i).path).empty()) state.bytes = activity(i).bytes;
    }
    if (state.delay_s <= 0 && state.bytes <= 0) end(i);
  }

  void end(std::size_t i) {
    states_[i].is_under_way = false;
    times_.end_s[i] = now_;
    for (const std::int32_t successor : graph_.successors_of(static_cast<std::int32_t>(i))) {
      if (--states_[static_cast<std::size_t>(successor)].waiting_for == 0)
        start(static_cast<std::size_t>(successor));
    }
  }

  bool is_moving(std::size_t i) const {
    return states_[i].is_under_way && states_[i].delay_s <= 0 && states_[i].bytes > 0;
  }

  /// Raises all rates together; the link that fills up first stops the transfers that cross it; and so on.
  void fill_progressively() {
    std::vector<double> capacity = bandwidth_;
    std::vector<bool> is_rising(states_.size());
    for (std::size_t i = 0; i < states_.size(); ++i) is_rising[i] = is_moving(i);
    for (;;) {
      std::vector<int> crossings(graph_.links.size(), 0);
      for (std::size_t i = 0; i < states_.size(); ++i) {
        if (!is_rising[i]) continue;
        for (const std::int32_t link : graph_.links_of_path(activity(i).path))
          ++crossings[static_cast<std::size_t>(link)];
      }
      std::size_t fullest = 0;
      double share = kNever;
      for (std::size_t link = 0; link < capacity.size(); ++link) {
        if (crossings[link] > 0 && capacity[link] / crossings[link] < share) {
          share = capacity[link] / crossings[link];
          fullest = link;
        }
      }
      if (share == kNever) return;
      for (std::size_t i = 0; i < states_.size(); ++i) {
        if (!is_rising[i]) continue;
        const auto path = graph_.links_of_path(activity(i).path);
        if (std::ranges::count(path, static_cast<std::int32_t>(fullest)) == 0) continue;
        is_rising[i] = false;
        states_[i].rate = share;
        for (const std::int32_t link : path) capacity[static_cast<std::size_t>(link)] -= share;
      }
    }
  }

  double time_left(std::size_t i) const {
    if (!states_[i].is_under_way) return kNever;
    if (is_moving(i)) return states_[i].bytes / states_[i].rate;
    return states_[i].delay_s / pace(i);
  }

  double time_to_next_event() const {
    double step = kNever;
    for (std::size_t i = 0; i < states_.size(); ++i) step = std::min(step, time_left(i));
    return step;
  }

  void advance(double step) {
    std::vector<std::size_t> ended;
    for (std::size_t i = 0; i < states_.size(); ++i) {
      State& state = states_[i];
      if (!state.is_under_way) continue;
      const bool is_event = time_left(i) <= step;
      if (is_moving(i)) {
        state.bytes = is_event ? 0 : state.bytes - state.rate * step;
      } else {
        state.delay_s = is_event ? 0 : state.delay_s - step * pace(i);
      }
      if (state.delay_s <= 0 && state.bytes <= 0) ended.push_back(i);
    }
    now_ += step;
    for (const std::size_t i : ended) end(i);
  }

  const ActivityGraph& graph_;
  std::vector<State> states_;
  ActivityTimes times_;
  double now_ = 0;
  std::vector<double> bandwidth_, speed_;  ///< as they are now
  std::size_t next_change_ = 0;
};

}  // namespace

ActivityTimes max_min_oracle(const ActivityGraph& graph) { return Oracle(graph).run(); }

}  // namespace portolan::testing
