#pragma once

#include <cstdint>
#include <vector>

#include "base/quantity.h"
#include "model/kernel.h"
#include "topology/hardware.h"

namespace portolan {

/// Times of kernels on one device. Pure: the same kernel always costs the same.
///
/// A matrix product takes its FLOPs at the rate of the nearest measured products, or at peak times
/// efficiency; never less than its bytes at the achieved memory bandwidth (roofline: Williams et al., CACM
/// 2009). A memory-bound kernel takes its bytes at the kernel's measured rate, or at bandwidth times
/// efficiency. Each launch adds a fixed cost, unless the rate was measured with it.
class KernelCost {
 public:
  /// Precondition: hardware.device.peak has `precision`.
  KernelCost(const Hardware& hardware, Precision precision);

  Seconds time(const Kernel& kernel) const;

 private:
  Seconds gemm_time(const Kernel& kernel) const;
  Seconds memory_bound_time(const Kernel& kernel) const;

  DeviceSpec device_;
  FlopsPerSecond peak_;
  std::vector<std::vector<KernelRate>> rates_;  ///< by kernel kind, ascending size
};

}  // namespace portolan
