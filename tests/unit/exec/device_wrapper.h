#pragma once

#include <memory>
#include <utility>

#include "exec/device.h"

namespace portolan {

/// Hands everything on to another device; tests override what they want to disturb.
class DeviceWrapper : public Device {
 public:
  explicit DeviceWrapper(std::unique_ptr<Device> inner) : inner_(std::move(inner)) {}

  Result<void> prepare(std::int32_t num_lanes, std::int32_t num_events) override {
    return inner_->prepare(num_lanes, num_events);
  }
  Result<std::byte*> map_arena(Bytes size) override { return inner_->map_arena(size); }
  Result<void> write(std::byte* destination, std::span<const std::byte> source) override {
    return inner_->write(destination, source);
  }
  Result<void> read(std::span<std::byte> destination, const std::byte* source) override {
    return inner_->read(destination, source);
  }
  Result<void> begin_step() override { return inner_->begin_step(); }
  Result<void> wait(LaneId lane, EventIndex event) override { return inner_->wait(lane, event); }
  Result<void> begin_compute(LaneId lane, EventIndex event) override {
    return inner_->begin_compute(lane, event);
  }
  Result<void> launch(LaneId lane, const KernelLaunch& launch) override {
    return inner_->launch(lane, launch);
  }
  Result<void> end_compute(LaneId lane, EventIndex event) override {
    return inner_->end_compute(lane, event);
  }
  Result<void> poison(LaneId lane, std::byte* destination, Bytes size) override {
    return inner_->poison(lane, destination, size);
  }
  Result<void> synchronize() override { return inner_->synchronize(); }
  OpTimes times(EventIndex event) const override { return inner_->times(event); }
  StepUsage usage() const override { return inner_->usage(); }
  std::int64_t now_ns() const override { return inner_->now_ns(); }

 private:
  std::unique_ptr<Device> inner_;
};

}  // namespace portolan
