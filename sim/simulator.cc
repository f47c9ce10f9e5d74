#include "sim/simulator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "sim/activity_order.h"
#include "sim/device_speeds.h"
#include "sim/fluid_engine.h"
#include "sim/solver_depth.h"

namespace portolan {
namespace {

/// One simulation: counts down predecessors and starts what waits for none.
class Simulation {
 public:
  Simulation(const ActivityGraph& graph, FluidEngine& engine)
      : graph_(graph), engine_(engine), waiting_for_(graph.num_predecessors), speeds_(graph, engine) {
    times_.start_s.assign(graph.activities.size(), 0.0);
    times_.end_s.assign(graph.activities.size(), 0.0);
  }

  void run() {
    for (std::size_t index = 0; index < waiting_for_.size(); ++index) {
      if (graph_.num_predecessors[index] == 0) ready_.push_back(static_cast<std::int32_t>(index));
    }
    start_changes();
    start_ready();
    engine_.run([this](std::int32_t number) {
      if (number >= first_change()) {
        change(graph_.changes[static_cast<std::size_t>(number - first_change())]);
        return;
      }
      end(number);
      start_ready();
      if (num_ended_ == graph_.activities.size()) cancel_changes();
    });
  }

  std::size_t num_ended() const { return num_ended_; }

  ActivityTimes take_times() {
    for (const double end_s : times_.end_s) times_.makespan = std::max(times_.makespan, Seconds(end_s));
    return std::move(times_);
  }

 private:
  /// Starts what is ready, and what becomes ready because it took no time. A list, not recursion: a graph may
  /// chain any number of joins.
  void start_ready() {
    for (std::size_t next = 0; next < ready_.size(); ++next) start(ready_[next]);
    ready_.clear();
  }

  void start(std::int32_t index) {
    const Activity& activity = graph_.activities[static_cast<std::size_t>(index)];
    times_.start_s[static_cast<std::size_t>(index)] = engine_.now().value;
    if (activity.kind == Activity::Kind::kTransfer && activity.bytes > 0) {
      const std::span<const std::int32_t> links = graph_.links_of_path(activity.path);
      if (!links.empty()) {
        engine_.start_transfer(index, {.bytes = activity.bytes, .latency = activity.latency, .links = links});
        return;
      }
    }
    const Seconds delay = delay_of(activity);
    if (activity.kind == Activity::Kind::kCompute && speeds_.change() && delay > Seconds(0)) {
      speeds_.start(index);
    } else if (delay > Seconds(0)) {
      engine_.start_delay(index, delay);
    } else {
      end(index);
    }
  }

  /// Changes are numbered behind the activities. Those of the beginning are there before anything starts.
  std::int32_t first_change() const { return static_cast<std::int32_t>(graph_.activities.size()); }
  std::int32_t end_of_changes() const {
    return first_change() + static_cast<std::int32_t>(graph_.changes.size());
  }

  void start_changes() {
    std::int32_t number = first_change();
    for (const RateChange& one : graph_.changes) {
      if (one.at > Seconds(0)) {
        engine_.start_alarm(number, one.at);
      } else {
        change(one);
      }
      ++number;
    }
  }

  void cancel_changes() {
    for (std::int32_t number = first_change(); number < end_of_changes(); ++number) {
      engine_.cancel_alarm(number);
    }
  }

  void change(const RateChange& one) {
    if (one.kind == RateChange::Kind::kDevice) {
      speeds_.set(one.index, one.share);
    } else {
      engine_.set_bandwidth(one.index,
                            graph_.links[static_cast<std::size_t>(one.index)].bandwidth * one.share);
    }
  }

  static Seconds delay_of(const Activity& activity) {
    switch (activity.kind) {
      case Activity::Kind::kCompute:
        return activity.seconds;
      case Activity::Kind::kTransfer:
        return activity.latency;
      case Activity::Kind::kJoin:
        break;
    }
    return Seconds(0);
  }

  void end(std::int32_t index) {
    times_.end_s[static_cast<std::size_t>(index)] = engine_.now().value;
    ++num_ended_;
    if (speeds_.change()) speeds_.end(index);
    for (const std::int32_t successor : graph_.successors_of(index)) {
      if (--waiting_for_[static_cast<std::size_t>(successor)] == 0) ready_.push_back(successor);
    }
  }

  const ActivityGraph& graph_;
  FluidEngine& engine_;
  std::vector<std::int32_t> waiting_for_;
  std::vector<std::int32_t> ready_;
  std::size_t num_ended_ = 0;
  DeviceSpeeds speeds_;
  ActivityTimes times_;
};

}  // namespace

Result<ActivityTimes> simulate(const ActivityGraph& graph) {
  PORTOLAN_TRY(const GraphBounds bounds, check_and_bound(graph));
  PORTOLAN_CHECK_OK(make_room_for_solver(graph));
  FluidEngine& engine = FluidEngine::of_this_process();
  if (!engine.belongs_to_this_thread()) {
    return device_error(
        "simulate: another thread of this process owns the simulation engine; use worker processes");
  }
  engine.begin({.links = graph.links,
                .largest_transfer_bytes = bounds.largest_transfer_bytes,
                .shortest_makespan = bounds.shortest_makespan});
  Simulation simulation(graph, engine);
  simulation.run();
  if (simulation.num_ended() != graph.activities.size()) {
    return device_error(fmt::format("simulate: the engine stopped with {} of {} activities ended",
                                    simulation.num_ended(), graph.activities.size()));
  }
  return simulation.take_times();
}

bool simulation_engine_exists() { return FluidEngine::exists(); }

}  // namespace portolan
