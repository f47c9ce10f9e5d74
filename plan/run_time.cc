#include "plan/run_time.h"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>

namespace portolan {

namespace {

constexpr int kFactors = 96;           ///< of equal probability, over which steps are averaged
constexpr double kNearlyNormal = 1e5;  ///< shape of a gamma distribution from which on it is taken as normal

double normal_share(double deviations) {
  return boost::math::cdf(boost::math::normal(), std::clamp(deviations, -37.0, 37.0));
}

double gamma_share(double value, double mean, double variance) {
  const double shape = mean * mean / variance;
  return shape > kNearlyNormal ? normal_share((value - mean) / std::sqrt(variance))
                               : boost::math::gamma_p(shape, value * mean / variance);
}

}  // namespace

CheckpointedWork RunTime::slowed(double factor) const {
  CheckpointedWork work = work_;
  work.work = work.work * factor;
  return work;
}

double RunTime::probability_within(Seconds time, double factor) const {
  const CheckpointedWork work = slowed(factor);
  const double spare = (time - expected_time(work, {}).total()).value;
  if (spare < 0) {
    return 0;
  }
  const FailureDelay delay = failure_delay(work, interruptions_);
  const double with_failures =
      delay.none_probability < 1 ? gamma_share(spare, delay.mean, delay.variance) : 0;
  return delay.none_probability + (1 - delay.none_probability) * with_failures;
}

double RunTime::probability_within(Seconds time) const {
  if (log_deviation_ <= 0) {
    return probability_within(time, 1);
  }
  // Slower steps than these are too slow even if nothing fails.
  const double slowest = (time - expected_time(slowed(0), {}).total()) / work_.work;
  if (slowest <= 0) {
    return 0;
  }
  const double in_time = normal_share(std::log(slowest) / log_deviation_);
  if (in_time < 1e-15) {
    return 0;
  }
  double sum = 0;
  for (int i = 0; i < kFactors; ++i) {
    const double share = std::min(in_time * (i + 0.5) / kFactors, 1 - 1e-15);
    const double factor = std::exp(log_deviation_ * boost::math::quantile(boost::math::normal(), share));
    sum += probability_within(time, factor);
  }
  return in_time * sum / kFactors;
}

Seconds RunTime::quantile(double share) const {
  double low = 0;
  double high = expected_time(work_, interruptions_).total().value;
  while (probability_within(Seconds(high)) < share) {
    low = high;
    high *= 2;
  }
  while (high - low > 1e-7 * high) {
    const double middle = (low + high) / 2;
    (probability_within(Seconds(middle)) < share ? low : high) = middle;
  }
  return Seconds(high);
}

}  // namespace portolan
