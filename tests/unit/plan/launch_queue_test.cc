#include "plan/launch_queue.h"

#include <gtest/gtest.h>

#include "plan/allocator_replay.h"

namespace portolan {
namespace {

OpLaunch kernels(std::int64_t entries, double device_s) {
  return {.entries = entries, .device_time = Seconds(device_s), .communicates = false, .host_waits = false};
}

TEST(LaunchQueue, AHostThatIsFasterIsAheadByWhatTheQueueHolds) {
  LaunchQueue queue(Seconds(1), 3);
  queue.launch(kernels(1, 10));
  EXPECT_EQ(queue.host(), Seconds(1));
  queue.launch(kernels(1, 10));
  queue.launch(kernels(1, 10));
  EXPECT_EQ(queue.host(), Seconds(3));
  queue.launch(kernels(1, 10));
  EXPECT_EQ(queue.host(), Seconds(11)) << "the first of four must be over";
  queue.wait();
  EXPECT_EQ(queue.host(), Seconds(41));
}

TEST(LaunchQueue, ADeviceThatIsFasterStandsStill) {
  LaunchQueue queue(Seconds(10), 3);
  for (int i = 0; i < 5; ++i) {
    queue.launch(kernels(1, 2));
  }
  EXPECT_EQ(queue.host(), Seconds(50));
  queue.wait();
  EXPECT_EQ(queue.host(), Seconds(52));
}

TEST(LaunchQueue, KnowsWhenCommunicationsAreOver) {
  LaunchQueue queue(Seconds(1), 100);
  queue.launch(kernels(1, 10));
  queue.launch({.entries = 2, .device_time = {}, .communicates = true, .host_waits = false});
  queue.launch(kernels(1, 10));
  EXPECT_EQ(queue.communicated(), Seconds(11));
  queue.launch({.entries = 1, .device_time = Seconds(5), .communicates = false, .host_waits = true});
  EXPECT_EQ(queue.host(), Seconds(22)) << "it waited, then launched";
}

/// A pass of three ops: a kernel makes a tensor of 20 MiB, which is summed, and a kernel reads it.
Stage summed_stage() {
  Op make, sum, read;
  make.kernels.resize(1);
  read.kernels.resize(1);
  sum.kind = OpKind::kCollective;
  sum.axes = {Axis::kTensor};
  sum.buffers = {0};
  read.predecessors = {{.kind = Predecessor::Kind::kOp, .op = 1}};
  Stage stage;
  stage.templates = {{"forward 0", 0, {make, sum, read}}};
  stage.buffers = {{.name = "summed",
                    .kind = BufferKind::kActivation,
                    .bytes = Bytes(20 * kMebi),
                    .first = {0, 0, 0},
                    .last = {0, 2, 0}}};
  for (std::int32_t i = 0; i < 12; ++i) {
    stage.order.push_back({0, i});
  }
  return stage;
}

RunAhead ahead_by(std::int64_t depth, double device_s) {
  return {.launches = {{kernels(1, device_s),
                        {.entries = 2, .device_time = {}, .communicates = true, .host_waits = false},
                        kernels(1, device_s)}},
          .launch = Seconds(1),
          .depth = depth,
          .capacity = Bytes(std::int64_t{1} << 40)};
}

TEST(RunAhead, BlocksOfCommunicationsAreUsedAgainOnceTheDeviceIsPast) {
  const Stage stage = summed_stage();
  const auto tensors = [&](const RunAhead& ahead) {
    return replay_steps(stage, template_walks(stage), {}, ahead).value / (20 * kMebi);
  };
  EXPECT_EQ(tensors({}), 1);
  EXPECT_EQ(tensors(ahead_by(1000, 0.1)), 1) << "the host is slower";
  EXPECT_EQ(tensors(ahead_by(1000, 100)), 12) << "it launches all passes before the second is over";
  EXPECT_EQ(tensors(ahead_by(8, 100)), 2) << "two passes, of four entries each, are in the queue";
  EXPECT_EQ(tensors(ahead_by(9, 100)), 3) << "and the first entry of the third";
  RunAhead waiting = ahead_by(1000, 100);
  waiting.launches[0][0].host_waits = true;
  EXPECT_EQ(tensors(waiting), 1);
  RunAhead small = ahead_by(1000, 100);
  small.capacity = Bytes(5 * 20 * kMebi);
  EXPECT_EQ(tensors(small), 5) << "before it asks for more than there is, it waits";
}

}  // namespace
}  // namespace portolan
