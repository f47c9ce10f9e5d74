#pragma once

#include "plan/interrupted_work.h"

namespace portolan {

/// How long a run takes, as a random number: all its steps are off from the prediction by one factor, which
/// is log-normal with median 1, and failures come on top of that. The time that failures add has its exact
/// probability of being none, and else a gamma distribution with its exact mean and variance; property tests
/// hold it against runs drawn at random.
class RunTime {
 public:
  /// `log_deviation`: standard deviation of the logarithm of the steps' factor; 0: steps are as predicted.
  RunTime(const CheckpointedWork& work, const Interruptions& interruptions, double log_deviation)
      : work_(work), interruptions_(interruptions), log_deviation_(log_deviation) {}

  /// That the run takes no longer than `time`.
  double probability_within(Seconds time) const;
  /// The least time that it keeps to with a probability of `share`, to 1e-6 of itself. Precondition:
  /// 0 < share < 1.
  Seconds quantile(double share) const;

 private:
  CheckpointedWork slowed(double factor) const;
  /// The same where steps take `factor` as long as predicted.
  double probability_within(Seconds time, double factor) const;

  CheckpointedWork work_;
  Interruptions interruptions_;
  double log_deviation_;
};

}  // namespace portolan
