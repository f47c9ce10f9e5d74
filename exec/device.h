#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/quantity.h"
#include "base/result.h"
#include "model/kernel.h"

namespace portolan {

/// Ops of one lane run one after another: a stream of a device. Index into Program::lanes.
using LaneId = std::int32_t;
/// The completion of one op of a step: dense from 0, the same in every step.
using EventIndex = std::int32_t;

/// What an optimizer kernel needs beside its operands.
struct UpdateOptions {
  double learning_rate = 0;
  double beta1 = 0;
  double beta2 = 0;
  double epsilon = 0;
  double weight_decay = 0;
  std::int64_t step = 1;  ///< 1 for the first update
};

/// One kernel with its addresses. Valid for the call only.
struct KernelLaunch {
  const Kernel& kernel;
  std::span<std::byte* const> operands;  ///< in the order that model/kernel.cc documents
  std::span<const std::byte> host_data;  ///< what kLoadTokens puts into its operand
  UpdateOptions update;                  ///< of kAdamW
};

/// When one op ran, on the clock of now().
struct OpTimes {
  std::int64_t start_ns = 0;  ///< waiting for a peer excluded
  std::int64_t end_ns = 0;
};

/// What a rank spent in one step.
struct StepUsage {
  std::array<double, kNumKernelKinds> kernel_s{};
  double compute_wall_s = 0;  ///< inside compute ops
  double compute_cpu_s =
      0;              ///< processor time of the same ops; equal to the wall time where there is no such thing
  double wait_s = 0;  ///< for peers
  std::int64_t involuntary_switches = 0;  ///< times that the rank's thread was put aside
};

/// One rank's accelerator: memory, lanes, events. Work is enqueued; it may run before the call returns (host)
/// or later (a stream). Nothing but arena mapping and `prepare` may allocate memory. One thread uses it, but
/// for what a communicator does on behalf of its peers. Errors (kDevice): the device failed or a wait timed
/// out; the message says what, the caller adds rank and op.
class Device {
 public:
  virtual ~Device() = default;

  /// Called on the rank's own thread before anything but map_arena.
  virtual Result<void> prepare(std::int32_t num_lanes, std::int32_t num_events) = 0;
  /// One block for all buffers, aligned to 4 KiB, owned by the device; zeros until written.
  virtual Result<std::byte*> map_arena(Bytes size) = 0;

  // Between steps; complete on return.
  virtual Result<void> write(std::byte* destination, std::span<const std::byte> source) = 0;
  virtual Result<void> read(std::span<std::byte> destination, const std::byte* source) = 0;

  // Within a step.
  virtual Result<void> begin_step() = 0;
  /// `lane` goes on when `event` has happened; one that is not under way in this step has.
  virtual Result<void> wait(LaneId lane, EventIndex event) = 0;
  virtual Result<void> begin_compute(LaneId lane, EventIndex event) = 0;
  virtual Result<void> launch(LaneId lane, const KernelLaunch& launch) = 0;
  virtual Result<void> end_compute(LaneId lane, EventIndex event) = 0;
  /// Sets memory to NaNs.
  virtual Result<void> poison(LaneId lane, std::byte* destination, Bytes size) = 0;
  /// Returns when every lane is empty: the end of a step.
  virtual Result<void> synchronize() = 0;

  /// Of this step; after synchronize().
  virtual OpTimes times(EventIndex event) const = 0;
  virtual StepUsage usage() const = 0;
  /// The clock of all times: one for all ranks, never set back.
  virtual std::int64_t now_ns() const = 0;
};

}  // namespace portolan
