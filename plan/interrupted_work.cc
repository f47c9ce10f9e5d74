#include "plan/interrupted_work.h"

#include <algorithm>
#include <cmath>

namespace portolan {

namespace {

constexpr double kSmall = 1e-3;  ///< below it differences of exponentials lose their digits

struct Moments {
  double mean = 0;
  double variance = 0;
};

/// Of the time to a failure that comes within `length`; `rate` of failures. Truncated exponential.
Moments time_to_failure(double length, double rate) {
  const double x = rate * length;
  if (x < kSmall) {
    const double mean = length * (1.0 / 2 - x / 12);
    return {mean, length * length * (1.0 / 3 - x / 12) - mean * mean};
  }
  const double odds = 1 / std::expm1(x);  // of getting through, against failing
  const double mean = 1 / rate - length * odds;
  const double second = 2 / (rate * rate) - (length * length + 2 * length / rate) * odds;
  return {mean, second - mean * mean};
}

/// Of the time until `length` has passed without a failure, where each failure begins it anew.
Moments time_without_failure(double length, double rate) {
  const double x = rate * length;
  const double growth = std::exp(x);
  const double variance = x < kSmall ? x * x * x / 3 : growth * growth - 1 - 2 * x * growth;
  return {std::expm1(x) / rate, variance / (rate * rate)};
}

double piece_length(const CheckpointedWork& work) {
  return work.work.value / static_cast<double>(work.num_checkpoints) + work.checkpoint.value;
}

}  // namespace

Seconds optimum_checkpoint_interval(Seconds checkpoint, Seconds mtbf) {
  const double share = checkpoint.value / (2 * mtbf.value);
  if (share >= 1) {
    return mtbf;
  }
  const double young = std::sqrt(2 * checkpoint.value * mtbf.value);
  return Seconds(young * (1 + std::sqrt(share) / 3 + share / 9) - checkpoint.value);
}

ExpectedTime expected_time(const CheckpointedWork& work, const Interruptions& interruptions) {
  ExpectedTime time{.work = work.work,
                    .checkpoints = work.checkpoint * static_cast<double>(work.num_checkpoints)};
  if (interruptions.mtbf.value <= 0 || work.num_checkpoints == 0) {
    return time;
  }
  const double rate = 1 / interruptions.mtbf.value;
  const double length = piece_length(work);
  const double failures_of_work = std::expm1(rate * length) * static_cast<double>(work.num_checkpoints);
  const Moments restart = time_without_failure(interruptions.restart.value, rate);
  time.lost = Seconds(failures_of_work * time_to_failure(length, rate).mean);
  time.restarts = Seconds(failures_of_work * restart.mean);
  time.num_failures = failures_of_work * std::exp(rate * interruptions.restart.value);
  return time;
}

FailureDelay failure_delay(const CheckpointedWork& work, const Interruptions& interruptions) {
  if (interruptions.mtbf.value <= 0 || work.num_checkpoints == 0 || work.work.value <= 0) {
    return {};
  }
  const double rate = 1 / interruptions.mtbf.value;
  const double length = piece_length(work);
  const auto pieces = static_cast<double>(work.num_checkpoints);
  // Failures of one piece are geometric; each costs what it undid and a restart.
  const double mean_failures = pieces * std::expm1(rate * length);
  const double variance_failures = mean_failures * std::exp(rate * length);
  const Moments lost = time_to_failure(length, rate);
  const Moments restart = time_without_failure(interruptions.restart.value, rate);
  const double each = lost.mean + restart.mean;
  const double mean = mean_failures * each;
  const double variance =
      mean_failures * (lost.variance + restart.variance) + variance_failures * each * each;
  FailureDelay delay;
  delay.none_probability = std::exp(-pieces * rate * length);
  const double some = -std::expm1(-pieces * rate * length);
  delay.mean = mean / some;
  delay.variance = (variance + mean * mean) / some - delay.mean * delay.mean;
  delay.variance = std::max(delay.variance, 1e-12 * delay.mean * delay.mean);
  return delay;
}

}  // namespace portolan
