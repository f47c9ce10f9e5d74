// The time of a run under failures, against runs drawn at random.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "plan/run_time.h"
#include "tests/property/thinned.h"

namespace portolan {
namespace {

struct Case {
  CheckpointedWork work;
  Interruptions interruptions;
  double log_deviation = 0;

  std::string name() const {
    return "work " + std::to_string(work.work.value) + " pieces " + std::to_string(work.num_checkpoints) +
           " checkpoint " + std::to_string(work.checkpoint.value) + " mtbf " +
           std::to_string(interruptions.mtbf.value) + " restart " +
           std::to_string(interruptions.restart.value) + " deviation " + std::to_string(log_deviation);
  }
};

double draw_exponential(RandomStream& random, double mean) {
  return -mean * std::log(1 - random.next_uniform());
}

/// One run, piece by piece, as a clock would see it.
double draw_run(const Case& c, RandomStream& random) {
  const double factor = c.log_deviation > 0 ? std::exp(c.log_deviation * random.next_normal()) : 1;
  const double piece =
      factor * c.work.work.value / static_cast<double>(c.work.num_checkpoints) + c.work.checkpoint.value;
  const double mtbf = c.interruptions.mtbf.value;
  double clock = 0;
  double next_failure = mtbf > 0 ? draw_exponential(random, mtbf) : HUGE_VAL;
  for (std::int64_t done = 0; done < c.work.num_checkpoints;) {
    if (next_failure >= clock + piece) {
      clock += piece;
      ++done;
      continue;
    }
    clock = next_failure;
    next_failure = clock + draw_exponential(random, mtbf);
    while (next_failure < clock + c.interruptions.restart.value) {
      clock = next_failure;
      next_failure = clock + draw_exponential(random, mtbf);
    }
    clock += c.interruptions.restart.value;
  }
  return clock;
}

std::vector<double> draw_runs(const Case& c, std::size_t count) {
  RandomStream random(17, c.name());
  std::vector<double> times(count);
  for (double& time : times) {
    time = draw_run(c, random);
  }
  std::sort(times.begin(), times.end());
  return times;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const double mtbf : {0.0, 5.0, 40.0, 300.0, 5000.0}) {
    for (const std::int64_t pieces : {1, 10, 100}) {
      for (const double restart : {0.0, 0.5, 8.0}) {
        for (const double deviation : {0.0, 0.06, 0.3}) {
          const CheckpointedWork work{
              .work = Seconds(300), .num_checkpoints = pieces, .checkpoint = Seconds(0.2)};
          // Pieces of many mean times between failures never come to an end.
          if (mtbf == 0 || 300.0 / static_cast<double>(pieces) < 3 * mtbf) {
            all.push_back({work, {.mtbf = Seconds(mtbf), .restart = Seconds(restart)}, deviation});
          }
        }
      }
    }
  }
  return thinned(std::move(all));
}

// But for the noise of 4,000 draws and for what a gamma distribution makes of one or two failures.
TEST(RunTime, QuantilesAreThoseOfRunsDrawnAtRandom) {
  constexpr std::size_t kDraws = 4000;
  for (const Case& c : cases()) {
    const std::vector<double> drawn = draw_runs(c, kDraws);
    const RunTime time(c.work, c.interruptions, c.log_deviation);
    for (const double share : {0.5, 0.9}) {
      const double predicted = time.quantile(share).value;
      const double seen = drawn[static_cast<std::size_t>(share * kDraws)];
      EXPECT_NEAR(predicted / seen, 1, 0.05) << c.name() << " share " << share;
    }
  }
}

TEST(RunTime, ExpectedTimeIsTheMeanOfRunsDrawnAtRandom) {
  constexpr std::size_t kDraws = 20'000;
  for (Case c : cases()) {
    if (c.log_deviation > 0) {
      continue;
    }
    const std::vector<double> drawn = draw_runs(c, kDraws);
    double sum = 0;
    double squares = 0;
    for (const double time : drawn) {
      sum += time;
      squares += time * time;
    }
    const double mean = sum / kDraws;
    const double error = std::sqrt(std::max(0.0, squares / kDraws - mean * mean) / kDraws);
    EXPECT_NEAR(expected_time(c.work, c.interruptions).total().value, mean, 5 * error + 1e-9) << c.name();
  }
}

TEST(RunTime, WithoutFailuresAndErrorItIsTheWork) {
  const RunTime time({.work = Seconds(300), .num_checkpoints = 10, .checkpoint = Seconds(2)}, {}, 0);
  EXPECT_NEAR(time.quantile(0.5).value, 320, 1e-3);
  EXPECT_NEAR(time.quantile(0.9).value, 320, 1e-3);
}

// The 95 % quantile of the steps' factor is exp(1.645 deviations).
TEST(RunTime, WithoutFailuresItIsLogNormal) {
  const RunTime time({.work = Seconds(300)}, {}, 0.1);
  EXPECT_NEAR(time.quantile(0.5).value, 300, 1e-3);
  EXPECT_NEAR(time.quantile(0.95).value, 300 * std::exp(0.1644854), 1e-2);
}

TEST(RunTime, MoreFailuresLongerRestartsAndWiderErrorsAreNeverFaster) {
  const CheckpointedWork work{.work = Seconds(300), .num_checkpoints = 30, .checkpoint = Seconds(0.2)};
  for (const double share : {0.5, 0.9}) {
    for (const double restart : {0.0, 0.5, 8.0}) {
      double before = 0;
      for (double mtbf = 1e7; mtbf > 5; mtbf /= 1.3) {
        const double now =
            RunTime(work, {.mtbf = Seconds(mtbf), .restart = Seconds(restart)}, 0.06).quantile(share).value;
        EXPECT_GE(now, before * (1 - 1e-4)) << share << " " << restart << " " << mtbf;
        before = now;
      }
    }
    for (const double mtbf : {20.0, 300.0, 1e5}) {
      double before = 0;
      for (double restart = 0; restart < 20; restart += 1.5) {
        const double now =
            RunTime(work, {.mtbf = Seconds(mtbf), .restart = Seconds(restart)}, 0.06).quantile(share).value;
        EXPECT_GE(now, before * (1 - 1e-4)) << share << " " << restart << " " << mtbf;
        before = now;
      }
      before = 0;
      for (double deviation = 0; deviation < 0.5; deviation += 0.05) {
        const double now =
            RunTime(work, {.mtbf = Seconds(mtbf), .restart = Seconds(2)}, deviation).quantile(0.9).value;
        EXPECT_GE(now, before * (1 - 1e-4)) << share << " " << mtbf << " " << deviation;
        before = now;
      }
    }
  }
}

TEST(RunTime, QuantilesAreInOrderAndTheInverseOfProbabilities) {
  for (const Case& c : cases()) {
    const RunTime time(c.work, c.interruptions, c.log_deviation);
    EXPECT_LE(time.quantile(0.5), time.quantile(0.9)) << c.name();
    for (const double share : {0.3, 0.5, 0.9, 0.99}) {
      const Seconds quantile = time.quantile(share);
      EXPECT_GE(time.probability_within(quantile), share) << c.name();
      EXPECT_LT(time.probability_within(quantile * (1 - 1e-5)), share + 1e-2) << c.name();
    }
  }
}

// No interval between checkpoints is better than the optimum by more than what its series leaves out.
TEST(OptimumCheckpointInterval, NoOtherIsBetter) {
  for (const double checkpoint : {0.1, 1.0, 5.0}) {
    for (const double mtbf : {30.0, 200.0, 3000.0}) {
      const auto time_of = [&](double interval) {
        return mtbf * std::expm1((interval + checkpoint) / mtbf) / interval;
      };
      const double optimum = optimum_checkpoint_interval(Seconds(checkpoint), Seconds(mtbf)).value;
      for (double factor = 0.2; factor < 5; factor *= 1.05) {
        EXPECT_GE(time_of(optimum * factor), time_of(optimum) * (1 - 1e-3)) << checkpoint << " " << mtbf;
      }
    }
  }
}

}  // namespace
}  // namespace portolan
