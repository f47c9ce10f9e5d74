#pragma once

#include <cstdint>
#include <optional>

#include "base/date.h"
#include "base/quantity.h"
#include "topology/hardware.h"

namespace portolan {

/// What a scenario says of a whole training run: how much, by when, and what interrupts it. What is not given
/// is not assumed: without a mean time between failures nothing fails, without checkpoints none is paid for.
struct TrainingRun {
  std::int64_t tokens = 0;  ///< to train on
  std::optional<Date> start = {};
  std::optional<Seconds> deadline = {};            ///< from the start
  std::optional<Sourced<Seconds>> gpu_mtbf = {};   ///< mean time between interruptions that one GPU causes
  std::optional<Sourced<Seconds>> node_mtbf = {};  ///< ... or one node; at most one of the two
  std::optional<Seconds> restart_time = {};  ///< from an interruption to the next step: noticing it, another
                                             ///< node, loading, warming up; with failures
  std::optional<Seconds> checkpoint_time = {};              ///< that training waits for one checkpoint
  std::optional<BytesPerSecond> checkpoint_bandwidth = {};  ///< ... or at which all ranks together write it
  std::optional<Seconds> checkpoint_interval = {};          ///< of work; else, with failures, the optimum
  double power_usage_effectiveness = 1;                     ///< energy of the building over that of the GPUs
  std::optional<double> budget = {};  ///< in the currency of Hardware::price_per_gpu_hour

  bool operator==(const TrainingRun&) const = default;
};

}  // namespace portolan
