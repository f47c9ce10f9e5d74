#pragma once

#include <cstdint>
#include <vector>

#include "plan/activity_graph.h"
#include "sim/fluid_engine.h"

namespace portolan {

/// Compute on devices whose speeds change: what is under way on one goes on at the new speed with what is
/// left of it. Of an activity's seconds those that are fixed are spread evenly over it.
class DeviceSpeeds {
 public:
  /// Both must outlive it.
  DeviceSpeeds(const ActivityGraph& graph, FluidEngine& engine);

  /// Whether any device's does: else nothing below is asked for.
  bool change() const { return !speed_.empty(); }
  /// Precondition: a compute activity of more than 0 s. The engine ends it under its index.
  void start(std::int32_t activity);
  void end(std::int32_t activity);
  void set(std::int32_t device, double speed);

 private:
  struct UnderWay {
    std::int32_t activity = 0;
    Seconds left;     ///< at full speed
    Seconds since;    ///< when that was left
    double rate = 1;  ///< of full speed, since then
  };

  double rate_of(const Activity& activity) const;
  /// Ends it when what is left is done at the device's speed.
  void go_on(UnderWay& work);

  const ActivityGraph& graph_;
  FluidEngine& engine_;
  std::vector<double> speed_;                     ///< by device; empty where none changes
  std::vector<std::vector<UnderWay>> under_way_;  ///< by device
};

}  // namespace portolan
