#include "exec/host/host_communicator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "exec/host/slice_sum.h"

namespace portolan {

TransferIndex HostWorld::transfer(const TransferKey& key) {
  const auto [found, inserted] = transfers_.try_emplace(key, num_transfers());
  if (inserted) {
    messages_.emplace_back();
  }
  return found->second;
}

TransferIndex HostWorld::group(LaneId lane, std::vector<std::int32_t> members) {
  const auto [found, inserted] = group_index_.try_emplace({lane, members}, num_groups());
  if (inserted) {
    groups_.emplace_back(std::move(members));
  }
  return found->second;
}

HostCommunicator::HostCommunicator(std::int32_t rank, HostWorld& world, HostEvents& events)
    : rank_(rank),
      world_(world),
      events_(events),
      transfer_uses_(world.messages_.size(), 0),
      group_uses_(world.groups_.size(), 0) {}

Result<void> HostCommunicator::send(LaneId, EventIndex event, TransferIndex transfer,
                                    std::span<const MemorySpan> memory) {
  HostMessage& message = world_.messages_[static_cast<std::size_t>(transfer)];
  const std::int64_t use = ++transfer_uses_[static_cast<std::size_t>(transfer)];
  message.memory = memory;
  message.posted.store(use, std::memory_order_release);
  events_.attach(event, message, use);
  return {};
}

Result<void> HostCommunicator::receive(LaneId, EventIndex event, TransferIndex transfer,
                                       std::span<const MemorySpan> memory) {
  HostMessage& message = world_.messages_[static_cast<std::size_t>(transfer)];
  const std::int64_t use = ++transfer_uses_[static_cast<std::size_t>(transfer)];
  const std::int64_t begin = host_now_ns();
  PORTOLAN_CHECK_OK(world_.control_.wait_until(
      [&] { return message.posted.load(std::memory_order_acquire) >= use; }, "a message"));
  const std::int64_t start = host_now_ns();
  events_.add_wait(start - begin);
  if (!have_same_sizes(memory, message.memory)) {
    return device_error("the sender's buffers have other sizes");
  }
  for (std::size_t i = 0; i < memory.size(); ++i) {
    std::memcpy(memory[i].data, message.memory[i].data, static_cast<std::size_t>(memory[i].size.value));
  }
  const std::int64_t end = host_now_ns();
  events_.begin(event, start);
  events_.end(event, end);
  message.times = {start, end};
  message.received.store(use, std::memory_order_release);
  return {};
}

Result<void> HostCommunicator::meet(std::atomic<std::int64_t>& arrivals, std::int64_t all, const char* what) {
  arrivals.fetch_add(1, std::memory_order_acq_rel);
  return world_.control_.wait_until([&] { return arrivals.load(std::memory_order_acquire) >= all; }, what);
}

Result<void> HostCommunicator::all_reduce(LaneId, EventIndex event, TransferIndex group_index,
                                          std::span<const MemorySpan> memory) {
  HostGroup& group = world_.groups_[static_cast<std::size_t>(group_index)];
  const std::int64_t all = ++group_uses_[static_cast<std::size_t>(group_index)] * group.size();
  const auto self = std::find(group.members_.begin(), group.members_.end(), rank_) - group.members_.begin();
  group.parts_[static_cast<std::size_t>(self)] = memory;
  const std::int64_t begin = host_now_ns();
  PORTOLAN_CHECK_OK(meet(group.arrived_, all, "the other members of a collective"));
  const std::int64_t start = host_now_ns();
  events_.add_wait(start - begin);
  for (const auto& part : group.parts_) {
    if (!have_same_sizes(memory, part)) {
      return device_error("the members' buffers have different sizes");
    }
  }
  sum_slice(group.parts_, self);
  PORTOLAN_CHECK_OK(meet(group.departed_, all, "the other members to finish a collective"));
  events_.begin(event, start);
  events_.end(event, host_now_ns());
  return {};
}

}  // namespace portolan
