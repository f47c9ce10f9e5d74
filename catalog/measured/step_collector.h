#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catalog/measured/log_line.h"
#include "plan/measured_log.h"

namespace portolan {

/// What the size of a step is known from: the plan's.
struct StepSize {
  std::int64_t global_batch = 0;     ///< sequences
  std::int64_t sequence_length = 0;  ///< tokens
  std::int64_t num_gpus = 0;
};

/// What one line says of a step.
struct LineOfStep {
  std::int64_t step = 0;
  Seconds time;
  std::optional<std::int32_t> rank = {};
  bool was_skipped = false;
  std::optional<double> global_batch = {};
};

/// Gathers what the lines of one format say. Lines of several ranks about one step are one step, which takes
/// as long as the slowest says; a rank whose steps go backwards began anew.
class StepCollector {
 public:
  explicit StepCollector(std::int64_t global_batch) : global_batch_(global_batch) {}

  void add_step(const LineOfStep& line);
  void add_timer(std::string_view name, bool is_of_slowest, Seconds time);
  /// The most that `rank` had; none: not said.
  void add_memory(std::int32_t rank, std::optional<Bytes> allocated, std::optional<Bytes> reserved);
  /// The next step comes after a checkpoint or an evaluation.
  void pause() { paused_ = true; }
  /// Counts what is no number; true where it is one.
  bool check(const LoggedNumber& number);
  /// Bytes written as `number` of `unit` bytes each; none, and counted, where they cannot be.
  std::optional<Bytes> check_bytes(const LoggedNumber& number, std::int64_t unit);

  const std::vector<LoggedStep>& steps() const { return steps_; }
  const std::vector<LoggedTimer>& timers() const { return timers_; }
  const std::map<std::int32_t, LoggedMemory>& memory() const { return memory_; }
  std::int64_t num_malformed() const { return num_malformed_; }
  std::int64_t num_cut_off() const { return num_cut_off_; }

 private:
  struct Course {
    std::int32_t run = 0;  ///< how often this rank began anew
    std::int64_t last_step = 0;
  };

  std::int64_t global_batch_;
  bool paused_ = false;
  std::int64_t num_malformed_ = 0;
  std::int64_t num_cut_off_ = 0;
  std::int32_t num_runs_ = 0;
  std::map<std::int32_t, Course> courses_;                                   ///< by rank; -1: not said
  std::map<std::pair<std::int32_t, std::int64_t>, std::size_t> step_index_;  ///< by run and step
  std::vector<LoggedStep> steps_;
  std::vector<LoggedTimer> timers_;
  std::map<std::int32_t, LoggedMemory> memory_;
};

/// Whether a step can take so long: more than nothing, at most a week.
bool is_step_time(double seconds);

}  // namespace portolan
