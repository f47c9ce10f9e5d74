#include "exec/host/host_communicator.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <numeric>
#include <thread>
#include <vector>

namespace portolan {
namespace {

/// A value that rank and place determine, so that sums can be foretold. Small whole numbers add exactly.
float value_of(std::int32_t rank, std::size_t place) {
  return static_cast<float>((rank + 1) * 1000) + static_cast<float>(place % 97);
}

void run_ranks(std::int32_t num_ranks, const std::function<void(std::int32_t)>& work) {
  std::vector<std::thread> threads;
  for (std::int32_t rank = 0; rank < num_ranks; ++rank) {
    threads.emplace_back(work, rank);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

void expect_sums(std::int32_t num_ranks, const std::vector<std::size_t>& sizes) {
  RunControl control(Seconds(20));
  HostWorld world(control);
  std::vector<std::int32_t> members(static_cast<std::size_t>(num_ranks));
  std::iota(members.begin(), members.end(), 0);
  const TransferIndex group = world.group(0, members);
  run_ranks(num_ranks, [&](std::int32_t rank) {
    HostEvents events(control);
    events.prepare(1);
    HostCommunicator communicator(rank, world, events);
    for (int use = 0; use < 3; ++use) {
      std::vector<std::vector<float>> buffers;
      std::vector<MemorySpan> memory;
      for (const std::size_t size : sizes) {
        buffers.emplace_back(size);
        for (std::size_t i = 0; i < size; ++i) {
          buffers.back()[i] = value_of(rank, i);
        }
        memory.push_back({reinterpret_cast<std::byte*>(buffers.back().data()),
                          Bytes(static_cast<std::int64_t>(size * sizeof(float)))});
      }
      events.begin_step();
      ASSERT_TRUE(communicator.all_reduce(0, 0, group, memory));
      for (const auto& buffer : buffers) {
        for (std::size_t i = 0; i < buffer.size(); ++i) {
          float sum = 0;
          for (std::int32_t other = 0; other < num_ranks; ++other) {
            sum += value_of(other, i);
          }
          ASSERT_EQ(buffer[i], sum) << num_ranks << " ranks, place " << i;
        }
      }
    }
  });
  EXPECT_FALSE(control.failed());
}

TEST(HostCommunicator, AllReduceSumsEveryPlaceOnEveryRank) {
  for (const std::int32_t num_ranks : {1, 2, 3, 5}) {
    expect_sums(num_ranks, {1});
    expect_sums(num_ranks, {16, 1, 15});
    expect_sums(num_ranks, {5000, 3, 12000, 1});
  }
}

TEST(HostCommunicator, AMemberThatDoesNotComeIsATimeOut) {
  RunControl control(Seconds(0.1));
  HostWorld world(control);
  const TransferIndex group = world.group(0, {0, 1});
  HostEvents events(control);
  events.prepare(1);
  HostCommunicator communicator(0, world, events);
  const Result<void> done = communicator.all_reduce(0, 0, group, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "waited 0.1 s in vain for the other members of a collective");
}

TEST(HostCommunicator, ASendIsOverWhenItHasBeenReceived) {
  RunControl control(Seconds(20));
  HostWorld world(control);
  const TransferIndex transfer =
      world.transfer({.source = 0, .destination = 1, .channel = 3, .microbatch = 2});
  EXPECT_EQ(world.transfer({.source = 0, .destination = 1, .channel = 3, .microbatch = 2}), transfer);
  EXPECT_NE(world.transfer({.source = 0, .destination = 1, .channel = 3, .microbatch = 1}), transfer);
  std::vector<float> sent = {1, 2, 3};
  std::vector<float> received(3);
  const auto span_of = [](std::vector<float>& list) {
    return std::vector<MemorySpan>{{reinterpret_cast<std::byte*>(list.data()), Bytes(12)}};
  };
  run_ranks(2, [&](std::int32_t rank) {
    HostEvents events(control);
    events.prepare(1);
    HostCommunicator communicator(rank, world, events);
    const std::vector<MemorySpan> memory = span_of(rank == 0 ? sent : received);
    for (int use = 1; use <= 3; ++use) {
      events.begin_step();
      if (rank == 0) {
        sent[0] = static_cast<float>(use);
        ASSERT_TRUE(communicator.send(0, 0, transfer, memory));
        ASSERT_TRUE(events.wait(0));
      } else {
        ASSERT_TRUE(communicator.receive(0, 0, transfer, memory));
        EXPECT_EQ(received[0], static_cast<float>(use));
      }
      EXPECT_GT(events.times(0).end_ns, 0);
      EXPECT_LE(events.times(0).start_ns, events.times(0).end_ns);
    }
  });
}

TEST(HostCommunicator, SizesThatDifferAreAnError) {
  RunControl control(Seconds(20));
  HostWorld world(control);
  const TransferIndex group = world.group(0, {0, 1});
  std::atomic<int> errors{0};
  std::vector<float> values(16);
  const std::vector<MemorySpan> memory = {{reinterpret_cast<std::byte*>(values.data()), Bytes(16)},
                                          {reinterpret_cast<std::byte*>(values.data() + 8), Bytes(32)}};
  run_ranks(2, [&](std::int32_t rank) {
    HostEvents events(control);
    events.prepare(1);
    HostCommunicator communicator(rank, world, events);
    const std::span<const MemorySpan> own = std::span(memory).subspan(static_cast<std::size_t>(rank), 1);
    if (const Result<void> done = communicator.all_reduce(0, 0, group, own); !done) {
      control.fail(done.error());
      ++errors;
    }
  });
  EXPECT_EQ(errors, 2);
}

}  // namespace
}  // namespace portolan
