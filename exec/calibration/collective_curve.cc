#include "exec/calibration/collective_curve.h"

#include <algorithm>

#include "exec/calibration/thread_team.h"
#include "exec/host/host_communicator.h"
#include "exec/run_control.h"

namespace portolan {

namespace {

constexpr std::int64_t kSmallest = 4 * kKibi;
constexpr std::int64_t kLargest = 64 * kMebi;
constexpr std::int64_t kPool = 128 * kMebi;  ///< of each rank; payloads are taken from it in turn
constexpr TransferIndex kOnly = 0;           ///< the one transfer, and the one group
constexpr int kFewestRepeats = 4;
constexpr int kMostRepeats = 400;

/// What one thread does, with its own events and communicator.
class Correspondent {
 public:
  Correspondent(std::int32_t rank, HostWorld& world, const RunControl& control)
      : rank_(rank),
        events_(control),
        communicator_(rank, world, events_),
        pool_(static_cast<std::size_t>(kPool)) {
    events_.prepare(1);
    auto* const values = reinterpret_cast<float*>(pool_.data());
    std::fill_n(values, pool_.size() / sizeof(float), 1e-3F);
  }

  /// One communication; seconds as a run would report them.
  Result<double> once(const TimedCommunication& what) {
    events_.begin_step();
    if (next_ + what.size.value > kPool) {
      next_ = 0;
    }
    memory_ = {pool_.data() + next_, what.size};
    next_ += what.size.value;
    const std::span<const MemorySpan> memory(&memory_, 1);
    if (what.collective == "all_reduce") {
      PORTOLAN_CHECK_OK(communicator_.all_reduce(0, 0, kOnly, memory));
    } else if (rank_ == 0) {
      PORTOLAN_CHECK_OK(communicator_.send(0, 0, kOnly, memory));
    } else {
      PORTOLAN_CHECK_OK(communicator_.receive(0, 0, kOnly, memory));
    }
    PORTOLAN_CHECK_OK(events_.wait_for_all());
    const OpTimes times = events_.times(0);
    return static_cast<double>(times.end_ns - times.start_ns) * 1e-9;
  }

 private:
  std::int32_t rank_;
  HostEvents events_;
  HostCommunicator communicator_;
  std::vector<std::byte> pool_;
  MemorySpan memory_;
  std::int64_t next_ = 0;
};

std::vector<TimedCommunication> curve(std::int32_t num_ranks) {
  std::vector<TimedCommunication> list;
  for (std::int64_t size = kSmallest; size <= kLargest; size *= 2) {
    list.push_back({.collective = "all_reduce", .num_ranks = num_ranks, .size = Bytes(size), .sample = {}});
    if (num_ranks == 2) {
      list.push_back({.collective = "send_receive", .num_ranks = 2, .size = Bytes(size), .sample = {}});
    }
  }
  return list;
}

/// Repeats that fit the budget of one point, from the bytes alone: all ranks must agree on the number.
int repeats(Bytes size, double budget_s) {
  constexpr double kBytesPerSecond = 4e9;
  const double once = static_cast<double>(size.value) / kBytesPerSecond + 5e-6;
  return std::clamp(static_cast<int>(budget_s / once), kFewestRepeats, kMostRepeats);
}

Result<void> time_all(Correspondent& self, double budget_s, std::vector<TimedCommunication>& list) {
  for (TimedCommunication& point : list) {
    const int count = repeats(point.size, budget_s);
    for (int repeat = 0; repeat <= count; ++repeat) {
      PORTOLAN_TRY(const double seconds, self.once(point));
      if (repeat > 0) {
        point.sample.add(seconds);
      }
    }
  }
  return {};
}

}  // namespace

Result<std::vector<TimedCommunication>> time_communication(std::int32_t num_ranks, Seconds budget) {
  RunControl control(Seconds(30));
  HostWorld world(control);
  std::vector<std::int32_t> members;
  for (std::int32_t rank = 0; rank < num_ranks; ++rank) {
    members.push_back(rank);
  }
  world.transfer({.source = 0, .destination = 1, .channel = 0, .microbatch = 0});
  world.group(0, members);
  std::vector<std::vector<TimedCommunication>> lists(members.size(), curve(num_ranks));
  const double budget_s = budget.value / static_cast<double>(lists.front().size());
  run_team(num_ranks, [&](std::int32_t rank) {
    Correspondent self(rank, world, control);
    if (const Result<void> done = time_all(self, budget_s, lists[static_cast<std::size_t>(rank)]); !done) {
      control.fail(done.error());
    }
  });
  if (const auto error = control.error()) {
    return *error;
  }
  return std::move(lists.back());
}

}  // namespace portolan
