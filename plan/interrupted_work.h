#pragma once

#include <cstdint>

#include "base/quantity.h"

namespace portolan {

/// Failures of a job as a Poisson process: each sends it back to its last checkpoint.
struct Interruptions {
  Seconds mtbf = {};     ///< mean time between failures of the whole job; 0: it never fails
  Seconds restart = {};  ///< until work goes on; failures may happen within, and begin it anew

  bool operator==(const Interruptions&) const = default;
};

/// Work in equal pieces with a checkpoint after each. Precondition: with failures num_checkpoints >= 1.
struct CheckpointedWork {
  Seconds work;  ///< all of it, without checkpoints
  std::int64_t num_checkpoints = 0;
  Seconds checkpoint = {};  ///< that the work waits for each

  bool operator==(const CheckpointedWork&) const = default;
};

/// Work between two checkpoints that makes the expected time least. 0 where checkpoints take no time.
/// Precondition: mtbf > 0.
/// Source: Daly 2006, "A higher order estimate of the optimum checkpoint interval for restart dumps", Future
/// Generation Computer Systems 22(3), the perturbation solution; its first term is Young 1974, Communications
/// of the ACM 17(9).
Seconds optimum_checkpoint_interval(Seconds checkpoint, Seconds mtbf);

/// Where the time is expected to go.
struct ExpectedTime {
  Seconds work = {};
  Seconds checkpoints = {};
  Seconds lost = {};      ///< work, and parts of checkpoints, that failures undid
  Seconds restarts = {};  ///< with those that failed themselves
  double num_failures = 0;

  Seconds total() const { return work + checkpoints + lost + restarts; }
  bool operator==(const ExpectedTime&) const = default;
};
/// Exact for exponential times between failures: a piece of length L (work and checkpoint) takes
/// M exp(R/M) (exp(L/M) - 1). Source: Daly 2006, complete cost function.
ExpectedTime expected_time(const CheckpointedWork& work, const Interruptions& interruptions);

/// What failures add to the time without them, a random number.
struct FailureDelay {
  double none_probability = 1;  ///< that nothing fails
  double mean = 0;              ///< s, where something does
  double variance = 0;          ///< s^2, likewise
};
FailureDelay failure_delay(const CheckpointedWork& work, const Interruptions& interruptions);

}  // namespace portolan
