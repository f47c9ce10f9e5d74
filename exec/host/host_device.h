#pragma once

#include <cstdint>

#include "exec/device.h"
#include "exec/host/host_events.h"
#include "exec/run_control.h"

namespace portolan {

/// One core of this machine: kernels run on the calling thread, at once and in the order of the calls, so
/// that lanes and events need no work. OpenBLAS must be set to one thread before.
class HostDevice final : public Device {
 public:
  explicit HostDevice(const RunControl& control) : events_(control) {}
  HostDevice(const HostDevice&) = delete;
  HostDevice& operator=(const HostDevice&) = delete;
  ~HostDevice() override;

  /// What the rank's communicator marks.
  HostEvents& events() { return events_; }

  Result<void> prepare(std::int32_t num_lanes, std::int32_t num_events) override;
  Result<std::byte*> map_arena(Bytes size) override;
  Result<void> write(std::byte* destination, std::span<const std::byte> source) override;
  Result<void> read(std::span<std::byte> destination, const std::byte* source) override;
  Result<void> begin_step() override;
  Result<void> wait(LaneId lane, EventIndex event) override;
  Result<void> begin_compute(LaneId lane, EventIndex event) override;
  Result<void> launch(LaneId lane, const KernelLaunch& launch) override;
  Result<void> end_compute(LaneId lane, EventIndex event) override;
  Result<void> poison(LaneId lane, std::byte* destination, Bytes size) override;
  Result<void> synchronize() override;
  OpTimes times(EventIndex event) const override { return events_.times(event); }
  StepUsage usage() const override { return usage_; }
  std::int64_t now_ns() const override { return host_now_ns(); }

 private:
  HostEvents events_;
  StepUsage usage_;
  std::byte* arena_ = nullptr;
  std::size_t arena_size_ = 0;
  std::int64_t op_start_ns_ = 0;
  std::int64_t op_start_cpu_ns_ = 0;
  std::int64_t switches_before_ = 0;
};

}  // namespace portolan
