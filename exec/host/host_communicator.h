#pragma once

#include <deque>
#include <map>
#include <tuple>
#include <vector>

#include "exec/communicator.h"
#include "exec/host/host_events.h"
#include "exec/run_control.h"

namespace portolan {

/// Ranks that reduce together. Each publishes its memory, all meet, each sums its slice into every member's
/// memory, all meet again.
class HostGroup {
 public:
  explicit HostGroup(std::vector<std::int32_t> members)
      : members_(std::move(members)), parts_(members_.size()) {}

  const std::vector<std::int32_t>& members() const { return members_; }
  std::int32_t size() const { return static_cast<std::int32_t>(members_.size()); }

 private:
  friend class HostCommunicator;
  std::vector<std::int32_t> members_;  ///< ranks, ascending
  std::vector<std::span<const MemorySpan>> parts_;
  alignas(64) std::atomic<std::int64_t> arrived_{0};
  alignas(64) std::atomic<std::int64_t> departed_{0};
};

/// Messages and groups of all ranks of one process. Filled before the ranks start, then only read.
class HostWorld {
 public:
  explicit HostWorld(const RunControl& control) : control_(control) {}

  /// What joins the two ends of a transfer.
  struct TransferKey {
    std::int32_t source = 0;
    std::int32_t destination = 0;
    std::int32_t channel = 0;
    std::int32_t microbatch = 0;
    auto operator<=>(const TransferKey&) const = default;
  };
  TransferIndex transfer(const TransferKey& key);
  /// Groups of the same members in another lane are apart: lanes do not wait for each other.
  TransferIndex group(LaneId lane, std::vector<std::int32_t> members);

  std::int32_t num_transfers() const { return static_cast<std::int32_t>(messages_.size()); }
  std::int32_t num_groups() const { return static_cast<std::int32_t>(groups_.size()); }
  const RunControl& control() const { return control_; }

 private:
  friend class HostCommunicator;
  const RunControl& control_;
  std::map<TransferKey, TransferIndex> transfers_;
  std::map<std::pair<LaneId, std::vector<std::int32_t>>, TransferIndex> group_index_;
  std::deque<HostMessage> messages_;  // deques: atomics do not move
  std::deque<HostGroup> groups_;
};

/// Communication of threads of one process: the receiver copies from the sender's memory.
class HostCommunicator final : public Communicator {
 public:
  /// All must outlive it. Precondition: `world` is filled.
  HostCommunicator(std::int32_t rank, HostWorld& world, HostEvents& events);

  Result<void> send(LaneId lane, EventIndex event, TransferIndex transfer,
                    std::span<const MemorySpan> memory) override;
  Result<void> receive(LaneId lane, EventIndex event, TransferIndex transfer,
                       std::span<const MemorySpan> memory) override;
  Result<void> all_reduce(LaneId lane, EventIndex event, TransferIndex group,
                          std::span<const MemorySpan> memory) override;

 private:
  Result<void> meet(std::atomic<std::int64_t>& arrivals, std::int64_t all, const char* what);

  std::int32_t rank_;
  HostWorld& world_;
  HostEvents& events_;
  std::vector<std::int64_t> transfer_uses_;
  std::vector<std::int64_t> group_uses_;
};

}  // namespace portolan
