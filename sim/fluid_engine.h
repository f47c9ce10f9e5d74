#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/quantity.h"
#include "plan/activity_graph.h"

namespace portolan {

/// Delays, and transfers that share links max-min fairly, on the one SimGrid engine that a process can have.
/// The engine is made at first use and never destroyed; its pool of links grows with the largest graph seen.
///
/// Each activity carries a number of the caller's that `run` hands back. Only the thread that made the engine
/// may use it. This is the only place that includes SimGrid.
class FluidEngine {
 public:
  struct Setup {
    std::span<const SharedLink> links;
    double largest_transfer_bytes = 0;  ///< no transfer moves more
    Seconds shortest_makespan;          ///< at least the longest time between two events, see GraphBounds
  };
  struct Transfer {
    double bytes = 0;  ///< above 0
    Seconds latency;
    std::span<const std::int32_t> links;  ///< at least one of Setup::links; alive until the end of `run`
  };

  static FluidEngine& of_this_process();
  static bool exists();
  bool belongs_to_this_thread() const;

  /// Sets the clock to 0 s and the links to those of the next simulation. Precondition: nothing is under way.
  void begin(const Setup& setup);
  void start_delay(std::int32_t number, Seconds delay);
  /// A delay that can be called off, until it ends. Precondition: none of that number is under way.
  void start_alarm(std::int32_t number, Seconds delay);
  void cancel_alarm(std::int32_t number);
  void start_transfer(std::int32_t number, const Transfer& transfer);
  /// Of one of Setup::links, from now on, at most what Setup says. What is under way goes on at the rates
  /// that follow.
  void set_bandwidth(std::int32_t link, BytesPerSecond bandwidth);
  /// Lets time pass until nothing is under way. `on_end` is called at the end of each activity and may start
  /// further ones.
  void run(const std::function<void(std::int32_t number)>& on_end);
  Seconds now() const;

 private:
  class Implementation;

  FluidEngine();
  ~FluidEngine();

  std::unique_ptr<Implementation> implementation_;
};

}  // namespace portolan
