#pragma once

#include <cstdint>
#include <vector>

#include "exec/device.h"
#include "exec/rank_script.h"

namespace portolan {

/// What one rank did in the steps of a run. All memory is taken before the first step.
class StepLog {
 public:
  /// Op times of the last `num_timed_steps` steps are kept, all else of every step.
  StepLog(const RankScript& script, std::int64_t num_steps, std::int64_t num_timed_steps);

  /// Reads the device's clockwork after step `step`, from 0.
  void record(std::int64_t step, std::int64_t start_ns, const Device& device);

  std::int64_t start_ns(std::int64_t step) const { return steps_[static_cast<std::size_t>(step)].start_ns; }
  std::int64_t end_ns(std::int64_t step) const { return steps_[static_cast<std::size_t>(step)].end_ns; }
  const StepUsage& usage(std::int64_t step) const { return steps_[static_cast<std::size_t>(step)].usage; }
  /// Seconds in transfers that the rank received, and in collectives of each kind.
  double receive_s(std::int64_t step) const { return steps_[static_cast<std::size_t>(step)].receive_s; }
  double collective_s(std::int64_t step, CollectiveKind kind) const {
    return steps_[static_cast<std::size_t>(step)].collective_s[static_cast<std::size_t>(kind)];
  }
  std::int64_t first_timed_step() const { return num_steps_ - num_timed_steps_; }
  /// Precondition: step >= first_timed_step().
  OpTimes times(std::int64_t step, EventIndex event) const;

 private:
  struct Entry {
    std::int64_t start_ns = 0;
    std::int64_t end_ns = 0;
    double receive_s = 0;
    std::array<double, kNumCollectiveKinds> collective_s{};
    StepUsage usage;
  };

  const RankScript& script_;
  std::int64_t num_steps_;
  std::int64_t num_timed_steps_;
  std::vector<Entry> steps_;
  std::vector<OpTimes> times_;  ///< (timed step, event)
};

}  // namespace portolan
