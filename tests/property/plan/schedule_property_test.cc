#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "plan/schedule.h"
#include "small_programs.h"

namespace portolan {
namespace {

PipelinePosition position_of(const SmallPipeline& pipeline, std::int32_t stage) {
  return {stage, pipeline.num_stages, pipeline.num_microbatches, pipeline.num_chunks};
}

struct Tally {
  bool complete = true;  ///< each microbatch through each chunk once each way, in order
  std::int32_t peak_in_flight = 0;
};

Tally tally(const std::vector<Pass>& order, const SmallPipeline& pipeline) {
  const bool split = splits_backward(pipeline.schedule);
  const std::vector<Phase> phases =
      split ? std::vector{Phase::kForward, Phase::kBackwardInput, Phase::kBackwardWeight}
            : std::vector{Phase::kForward, Phase::kBackward};
  std::map<std::pair<std::int32_t, std::int32_t>, std::size_t> done;  // phases of (microbatch, chunk)
  Tally result;
  std::int32_t in_flight = 0;
  for (const Pass& pass : order) {
    std::size_t& next = done[{pass.microbatch, pass.chunk}];
    result.complete = result.complete && next < phases.size() && pass.phase == phases[next];
    ++next;
    in_flight += next == 1 ? 1 : 0;
    result.peak_in_flight = std::max(result.peak_in_flight, in_flight);
    in_flight -= next == phases.size() ? 1 : 0;
  }
  result.complete =
      result.complete && std::ssize(done) == std::int64_t{pipeline.num_microbatches} * pipeline.num_chunks &&
      std::all_of(done.begin(), done.end(), [&](const auto& entry) { return entry.second == phases.size(); });
  return result;
}

TEST(ScheduleProperty, EveryMicrobatchOnceEachWayAndTheInFlightPeakIsTheFormula) {
  for (const SmallPipeline& pipeline : small_pipelines(8, 16)) {
    for (std::int32_t s = 0; s < pipeline.num_stages; ++s) {
      const auto order = pass_order(pipeline.schedule, position_of(pipeline, s));
      SCOPED_TRACE(format_order(order));
      const Tally result = tally(order, pipeline);
      EXPECT_TRUE(result.complete);
      EXPECT_EQ(result.peak_in_flight, max_in_flight(pipeline.schedule, position_of(pipeline, s)));
    }
  }
}

TEST(ScheduleProperty, BackwardFollowsAtOnceWhereTheListSaysSo) {
  for (const SmallPipeline& pipeline : small_pipelines(8, 16)) {
    for (std::int32_t s = 0; s < pipeline.num_stages; ++s) {
      const auto order = pass_order(pipeline.schedule, position_of(pipeline, s));
      for (std::int32_t chunk = 0; chunk < pipeline.num_chunks; ++chunk) {
        bool follows = true;
        for (std::size_t i = 0; i + 1 < order.size(); ++i) {
          const Pass& next = order[i + 1];
          follows &= order[i].phase != Phase::kForward || order[i].chunk != chunk ||
                     (next.phase != Phase::kForward && next.chunk == chunk &&
                      next.microbatch == order[i].microbatch);
        }
        EXPECT_EQ(backward_follows_at_once(pipeline.schedule, position_of(pipeline, s), chunk), follows)
            << format_order(order) << ", chunk " << chunk;
      }
    }
  }
}

// Korthikanti et al. 2022, section 4.2.3: the first stage holds L (1 + (p - 1) / (p v)) layers of
// activations, a whole model's with 1F1B.
TEST(ScheduleProperty, InterleavingHoldsAsMuchAsPublished) {
  for (const std::int32_t p : {2, 4, 8}) {
    for (const std::int32_t v : {2, 3, 4}) {
      const double chunks = max_in_flight(ScheduleKind::kInterleaved, {0, p, 4 * p, v});
      EXPECT_DOUBLE_EQ(chunks / (p * v), 1 + (p - 1.0) / (p * v));
      EXPECT_EQ(max_in_flight(ScheduleKind::kOneFOneB, {0, p, 4 * p}), p);
    }
  }
}

/// Runs the orders of all stages against each other with free transfers.
double makespan(const SmallPipeline& pipeline, double forward, double backward, double weight) {
  const std::int32_t p = pipeline.num_stages;
  const std::int32_t last = p * pipeline.num_chunks - 1;
  struct Event {
    Phase phase;
    std::int32_t microbatch, virtual_stage;
    auto operator<=>(const Event&) const = default;
  };
  std::map<Event, double> ends;
  std::vector<std::vector<Pass>> orders;
  for (std::int32_t s = 0; s < p; ++s) {
    orders.push_back(pass_order(pipeline.schedule, position_of(pipeline, s)));
  }
  std::vector<std::size_t> next(orders.size(), 0);
  std::vector<double> clock(orders.size(), 0);
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t s = 0; s < orders.size(); ++s) {
      for (; next[s] < orders[s].size(); ++next[s], moved = true) {
        const Pass& pass = orders[s][next[s]];
        const std::int32_t k = pass.chunk * p + static_cast<std::int32_t>(s);
        const bool onwards = pass.phase == Phase::kForward;
        const bool alone = pass.phase == Phase::kBackwardWeight || (onwards ? k == 0 : k == last);
        const auto input = ends.find({pass.phase, pass.microbatch, onwards ? k - 1 : k + 1});
        if (!alone && input == ends.end()) {
          break;
        }
        const double time = onwards ? forward : pass.phase == Phase::kBackwardWeight ? weight : backward;
        clock[s] = std::max(clock[s], alone ? 0 : input->second) + time / pipeline.num_chunks;
        ends[{pass.phase, pass.microbatch, k}] = clock[s];
      }
    }
  }
  for (std::size_t s = 0; s < orders.size(); ++s) {
    EXPECT_EQ(next[s], orders[s].size()) << "deadlock on stage " << s;
  }
  return *std::max_element(clock.begin(), clock.end());
}

TEST(ScheduleProperty, BubblesAreThePublishedOnes) {
  for (const SmallPipeline& pipeline : small_pipelines(8, 16)) {
    const double p = pipeline.num_stages, m = pipeline.num_microbatches, v = pipeline.num_chunks;
    switch (pipeline.schedule) {
      case ScheduleKind::kGPipe:
      case ScheduleKind::kOneFOneB:
      case ScheduleKind::kInterleaved:
        EXPECT_NEAR(makespan(pipeline, 1, 2, 0), 3 * m + 3 * (p - 1) / v, 1e-9) << p << " " << m << " " << v;
        break;
      case ScheduleKind::kZeroBubbleH1:
        break;  // below
    }
  }
}

// Qi et al. 2023 (arXiv 2401.10241), section 2.3: (p - 1) (F + B - W), with as many microbatches as stages or
// more. It holds while weight gradients take no longer than either pass that they stand in for: W <= F and
// W <= B. Of longer ones no more is hidden than the shorter of F and B.
TEST(ScheduleProperty, ZeroBubbleH1IsAsPublishedWhereWeightGradientsFit) {
  for (const SmallPipeline& pipeline : small_pipelines(8, 16)) {
    const double p = pipeline.num_stages, m = pipeline.num_microbatches;
    if (pipeline.schedule != ScheduleKind::kZeroBubbleH1 || m < p) {
      continue;
    }
    for (const double f : {0.5, 1.0, 1.5, 2.5}) {
      for (const double b : {0.5, 1.0, 1.25, 2.5}) {
        for (const double w : {0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5}) {
          const double bubble = makespan(pipeline, f, b, w) - m * (f + b + w);
          const double published = (p - 1) * (f + b - w);
          EXPECT_NEAR(bubble, w <= std::min(f, b) ? published : (p - 1) * std::max(f, b), 1e-9)
              << p << " " << m << " " << f << " " << b << " " << w;
        }
      }
    }
  }
}

TEST(ScheduleProperty, BackwardsOfAllStagesComeInOneOrder) {
  for (const SmallPipeline& pipeline : small_pipelines(8, 16)) {
    for (std::int32_t s = 0; s < pipeline.num_stages; ++s) {
      std::map<std::pair<Phase, std::int32_t>, std::int32_t> next;
      for (const Pass& pass : pass_order(pipeline.schedule, position_of(pipeline, s))) {
        EXPECT_EQ(pass.microbatch, (next[{pass.phase, pass.chunk}]++));
      }
    }
  }
}

}  // namespace
}  // namespace portolan
