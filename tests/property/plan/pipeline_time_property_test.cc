#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <tuple>

#include "base/random.h"
#include "plan/pipeline_time.h"
#include "plan/pipeline_walk.h"
#include "plan/schedule.h"
#include "small_programs.h"

namespace portolan {
namespace {

/// Runs the passes of all stages by the rules that the lowered Program states: a receive is posted when the
/// compute before it is done, a send takes its time once both sides are there, and compute waits for the
/// sends of some slots back.
class PassRunner {
 public:
  PassRunner(const PipelinePasses& passes, const PipelineShape& shape)
      : passes_(passes),
        shape_(shape),
        stages_(static_cast<std::int32_t>(passes.sends.size())),
        free_at_(passes.sends.size(), 0),
        sent_(passes.sends.size()) {}

  /// When each stage is done with its last pass.
  std::vector<double> run() {
    std::vector<std::size_t> next(passes_.sends.size(), 0);
    std::vector<std::vector<Pass>> orders;
    for (std::int32_t s = 0; s < stages_; ++s) {
      orders.push_back(pass_order(shape_.schedule, {s, stages_, shape_.num_microbatches, shape_.num_chunks}));
    }
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t s = 0; s < next.size(); ++s) {
        while (next[s] < orders[s].size() && step(static_cast<std::int32_t>(s), orders[s][next[s]])) {
          ++next[s];
          moved = true;
        }
      }
    }
    for (std::size_t s = 0; s < next.size(); ++s) {
      EXPECT_EQ(next[s], orders[s].size()) << "deadlock";
    }
    return free_at_;
  }

 private:
  struct Message {
    double posted = 0;
    std::optional<double> arrived;
  };
  using Key = std::tuple<std::int32_t, Phase, std::int32_t>;  ///< the sender's chunk number, microbatch

  double& free_at(std::int32_t stage) { return free_at_[static_cast<std::size_t>(stage)]; }

  bool step(std::int32_t s, const Pass& pass) {
    const std::int32_t chunk = pass.chunk * stages_ + s;
    const std::int32_t last = stages_ * shape_.num_chunks - 1;
    const bool forward = pass.phase == Phase::kForward;
    const bool weight = pass.phase == Phase::kBackwardWeight;
    const ChunkPass& cost = passes_.chunks[static_cast<std::size_t>(chunk)];
    double start = free_at(s);
    if (weight) {
      free_at(s) = start + cost.weight.value;
      sent_[static_cast<std::size_t>(s)].emplace_back();
      return true;
    }
    const std::int32_t sender = forward ? chunk - 1 : chunk + 1;
    if (sender >= 0 && sender <= last && !receive({sender, pass.phase, pass.microbatch}, s, start)) {
      return false;
    }
    if (!wait_for_sends(s, start)) {
      return false;
    }
    const bool further = pass.microbatch > 0;
    const Seconds time = forward ? cost.forward + (further ? cost.further_forward : Seconds(0))
                                 : cost.backward + (further ? cost.further_backward : Seconds(0));
    free_at(s) = start + time.value;
    const bool sends = forward ? chunk < last : chunk > 0;
    std::optional<Key> message;
    if (sends) {
      message = Key{chunk, pass.phase, pass.microbatch};
      messages_[*message].posted = free_at(s);
    }
    sent_[static_cast<std::size_t>(s)].push_back(message);
    return true;
  }

  bool receive(const Key& key, std::int32_t s, double& start) {
    const auto message = messages_.find(key);
    if (message == messages_.end()) {
      return false;
    }
    if (!message->second.arrived) {
      const std::int32_t sender = std::get<0>(key) % stages_;
      const std::int32_t boundary = std::get<1>(key) == Phase::kForward ? sender : s;
      double& wire = wires_[{sender, std::get<1>(key)}];
      wire = std::max({wire, message->second.posted, free_at(s)}) +
             passes_.sends[static_cast<std::size_t>(boundary)].value;
      message->second.arrived = wire;
    }
    start = std::max(start, *message->second.arrived);
    return true;
  }

  bool wait_for_sends(std::int32_t s, double& start) const {
    const std::size_t nearest = (shape_.blocking_sends ? 1U : 2U) + (shape_.num_chunks > 1 ? 1U : 0U);
    const std::size_t farthest = nearest + (splits_backward(shape_.schedule) ? 1U : 0U);
    const auto& sent = sent_[static_cast<std::size_t>(s)];
    for (std::size_t back = nearest; back <= std::min(farthest, sent.size()); ++back) {
      if (const auto& key = sent[sent.size() - back]) {
        const std::optional<double> arrived = messages_.at(*key).arrived;
        if (!arrived) {
          return false;
        }
        start = std::max(start, *arrived);
      }
    }
    return true;
  }

  const PipelinePasses& passes_;
  PipelineShape shape_;
  std::int32_t stages_;
  std::vector<double> free_at_;
  std::vector<std::vector<std::optional<Key>>> sent_;  ///< by stage and slot
  std::map<Key, Message> messages_;
  std::map<std::pair<std::int32_t, Phase>, double> wires_;
};

/// How chunks of a pipeline differ.
struct Spread {
  double size = 0;          ///< of a chunk from 1 - size to 1 + size
  double parts = 0;         ///< the same, of forward, backward and weight gradients by themselves
  double further = 0;       ///< up to that much more in later microbatches
  double first = 0;         ///< half to all of that more in the first chunk
  double last = 0;          ///< and in the last
  double send = 0;          ///< each send up to that
  bool equal_sends = true;  ///< or just that
};

class Pipelines {
 public:
  explicit Pipelines(const Spread& spread) : spread_(spread), random_(5) {}

  PipelinePasses next(const SmallPipeline& pipeline) {
    PipelinePasses passes;
    const auto count = static_cast<std::size_t>(pipeline.num_stages * pipeline.num_chunks);
    const bool split = splits_backward(pipeline.schedule);
    for (std::size_t k = 0; k < count; ++k) {
      const double size = around(spread_.size);
      passes.chunks.push_back({.forward = Seconds(size * around(spread_.parts)),
                               .backward = Seconds((split ? 1.2 : 2) * size * around(spread_.parts)),
                               .weight = Seconds(split ? 0.8 * size * around(spread_.parts) : 0),
                               .further_forward = up_to(spread_.further),
                               .further_backward = up_to(spread_.further)});
    }
    const auto add = [&](ChunkPass& chunk, double most) {
      for (Seconds* part : {&chunk.forward, &chunk.backward, split ? &chunk.weight : &chunk.forward}) {
        *part += Seconds(most / 2) + up_to(most / 2);
      }
    };
    add(passes.chunks.front(), spread_.first);
    add(passes.chunks.back(), spread_.last);
    passes.alike_between_ends = spread_.size + spread_.parts + spread_.further == 0;
    for (std::int32_t s = 0; s < pipeline.num_stages; ++s) {
      const bool sends = s + 1 < pipeline.num_stages || pipeline.num_chunks > 1;
      passes.sends.push_back(!sends                ? Seconds(0)
                             : spread_.equal_sends ? Seconds(spread_.send)
                                                   : up_to(spread_.send));
    }
    return passes;
  }

 private:
  double around(double spread) { return 1 + spread * (2 * random_.next_uniform() - 1); }
  Seconds up_to(double most) { return Seconds(most * random_.next_uniform()); }

  Spread spread_;
  RandomStream random_;
};

struct Differences {
  double least = 0, most = 0;  ///< relative, of the step from first to last pass
  double earliest = 0;         ///< of the end of one stage
};

/// Over all small pipelines of one schedule.
Differences differences(ScheduleKind schedule, const Spread& spread,
                        const std::vector<bool>& blocking_sends = {false, true}) {
  Pipelines pipelines(spread);
  Differences found;
  for (const SmallPipeline& pipeline : small_pipelines(8, 16)) {
    if (pipeline.schedule != schedule) {
      continue;
    }
    for (const bool blocking : blocking_sends) {
      const PipelinePasses passes = pipelines.next(pipeline);
      const PipelineShape shape{schedule, pipeline.num_microbatches, blocking, pipeline.num_chunks};
      const std::vector<double> run = PassRunner(passes, shape).run();
      const std::vector<Seconds> ends = pipeline_ends(passes, shape);
      const double whole = *std::max_element(run.begin(), run.end());
      const double difference = std::max_element(ends.begin(), ends.end())->value / whole - 1;
      found.least = std::min(found.least, difference);
      found.most = std::max(found.most, difference);
      for (std::size_t s = 0; s < run.size(); ++s) {
        found.earliest = std::min(found.earliest, ends[s].value / run[s] - 1);
      }
    }
  }
  return found;
}

void expect_exact(const Differences& found) {
  EXPECT_GT(found.least, -1e-12);
  EXPECT_LT(found.most, 1e-12);
  EXPECT_GT(found.earliest, -1e-12);
}

TEST(PipelineTimeProperty, WalksMatchPassesRunOneByOne) {
  for (const Spread& spread : {Spread{.size = 0.5, .parts = 0.5, .send = 1, .equal_sends = false},
                               Spread{.size = 0.9, .further = 0.3}, Spread{.parts = 0.1, .send = 0.2}}) {
    Pipelines pipelines(spread);
    // Up to so many microbatches that what repeats itself is left out.
    for (const SmallPipeline& pipeline : small_pipelines(5, 45)) {
      if (pipeline.schedule == ScheduleKind::kGPipe) {
        continue;
      }
      for (const bool blocking : {false, true}) {
        const PipelinePasses passes = pipelines.next(pipeline);
        const PipelineShape shape{pipeline.schedule, pipeline.num_microbatches, blocking,
                                  pipeline.num_chunks};
        const std::vector<double> run = PassRunner(passes, shape).run();
        const std::vector<Seconds> ends = pipeline_walk(passes, shape);
        EXPECT_NEAR(std::max_element(ends.begin(), ends.end())->value,
                    *std::max_element(run.begin(), run.end()), 1e-12 * run.front());
        for (std::size_t s = 0; s < run.size(); ++s) {
          EXPECT_GE(ends[s].value, run[s] * (1 - 1e-12));
        }
      }
    }
  }
}

TEST(PipelineTimeProperty, GPipeIsExactAlsoWithUnequalStagesAndSends) {
  expect_exact(differences(ScheduleKind::kGPipe, {}));
  expect_exact(differences(ScheduleKind::kGPipe, {.size = 0.3, .send = 0.2}));
}

TEST(PipelineTimeProperty, OneFOneBIsExactForFreeSendsAndCloseOtherwise) {
  for (const Spread& spread : {Spread{}, Spread{.size = 0.9}, Spread{.size = 0.5, .parts = 0.9}}) {
    expect_exact(differences(ScheduleKind::kOneFOneB, spread));
  }
  // Spread of the stages, sends in forwards: bounds a little above what was found.
  for (const auto& [spread, bound] :
       {std::pair(Spread{.send = 0.2}, 0.02), std::pair(Spread{.size = 0.3, .send = 0.2}, 0.02),
        std::pair(Spread{.size = 0.9, .send = 0.2}, 0.06)}) {
    const Differences found = differences(ScheduleKind::kOneFOneB, spread);
    EXPECT_GT(found.least, -bound);
    EXPECT_LT(found.most, bound);
  }
}

TEST(PipelineTimeProperty, OtherSchedulesAreExactForFreeSends) {
  for (const ScheduleKind schedule : {ScheduleKind::kInterleaved, ScheduleKind::kZeroBubbleH1}) {
    for (const Spread& spread : {Spread{}, Spread{.size = 0.9}, Spread{.size = 0.3, .parts = 0.9},
                                 Spread{.last = 5}, Spread{.first = 2}}) {
      expect_exact(differences(schedule, spread));
    }
    expect_exact(differences(schedule, {.first = 0.3, .last = 0.5}, {false}));
    // Where sends block, a first chunk that takes little longer is counted as often as it may be waited for.
    const Differences found = differences(schedule, {.first = 0.004, .last = 0.5}, {true});
    EXPECT_GT(found.least, -1e-12);
    EXPECT_GT(found.earliest, -1e-12);
    EXPECT_GT(found.most, 1e-4);
    EXPECT_LT(found.most, 0.005);
  }
}

TEST(PipelineTimeProperty, EqualStagesWithFreeSendsTakeMPlusPMinusOneTurns) {
  for (const SmallPipeline& pipeline : small_pipelines(8, 16)) {
    if (splits_backward(pipeline.schedule)) {
      continue;
    }
    const double chunks = pipeline.num_chunks;
    const PipelinePasses passes{
        .chunks = std::vector<ChunkPass>(static_cast<std::size_t>(pipeline.num_stages * pipeline.num_chunks),
                                         {Seconds(1), Seconds(2)}),
        .sends = std::vector<Seconds>(static_cast<std::size_t>(pipeline.num_stages)),
        .alike_between_ends = true};
    // (m + p - 1)(f + b), and with v chunks a bubble of a v-th: Narayanan et al. 2021, section 2.2.
    EXPECT_NEAR(
        pipeline_ends(passes, {pipeline.schedule, pipeline.num_microbatches, false, pipeline.num_chunks})
            .front()
            .value,
        3.0 * (pipeline.num_microbatches * chunks + pipeline.num_stages - 1), 1e-9);
  }
}

}  // namespace
}  // namespace portolan
