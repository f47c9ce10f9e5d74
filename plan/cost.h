#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/quantity.h"
#include "model/kernel.h"
#include "plan/software_profile.h"
#include "topology/hardware.h"

namespace portolan {

/// The layout under which a matrix product of `kind` was measured. Precondition: is_gemm(kind).
GemmLayout gemm_layout(KernelKind kind);
/// What the device's file says of flash-attention kernels of this version: they are priced by it even where
/// attention products are measured. Null: nothing.
const FlashAttention* find_flash_attention(const DeviceSpec& device, std::int64_t version);

/// Times of kernels on one device. Pure: the same kernel always costs the same.
///
/// A matrix product takes its FLOPs at the rate of the nearest measured products, or what its tiles take
/// (gemm_tiles.h), or its FLOPs at peak times efficiency (a flash-attention kernel its own, where the
/// hardware file has it); attention products that are not aligned to 16 bytes, as with heads of 108, at the
/// peak of fp32, for cuBLAS makes them without tensor cores (NVIDIA, Matrix Multiplication Background User's
/// Guide, section 2.1); never less than its bytes at the achieved memory bandwidth (roofline: Williams et
/// al., CACM 2009). A memory-bound kernel takes its bytes at the kernel's measured rate, or at bandwidth
/// times efficiency; a low-rank product no less than its FLOPs at the fp32 peak times efficiency. Each launch
/// adds a fixed cost, unless the rate was measured with it.
class KernelCost {
 public:
  /// Precondition: hardware.device.peak has `precision`, and bf16 where that is fp8: products with wider
  /// factors are done in it. `software`: what launches cost the host, which flash-attention kernels there
  /// are.
  KernelCost(const Hardware& hardware, Precision precision, const SoftwareProfile& software = {});

  Seconds time(const Kernel& kernel) const;
  /// What a run of `num_kernels` kernels takes beyond their `device_time`: the host launches one after
  /// another and ahead of the device, which stands still where the host is slower.
  Seconds host_excess(Seconds device_time, std::int64_t num_kernels) const {
    return std::max(host_launch_ * static_cast<double>(num_kernels) - device_time, Seconds(0));
  }
  /// Of the device, while it runs: its channels take a multiprocessor each. Below 1; 0 where either number is
  /// unknown.
  double share_of_collectives() const { return share_of_collectives_; }
  /// Of a layer that recomputes.
  Seconds checkpoint_pause() const { return checkpoint_pause_; }

 private:
  Seconds flash_time(const Kernel& kernel, const FlashAttention& flash) const;
  double gemm_efficiency(KernelKind kind) const;
  /// Batched products of attention whose factors have rows that are no multiple of 16 bytes.
  bool goes_without_tensor_cores(const Kernel& kernel) const;
  Seconds gemm_time(const Kernel& kernel) const;
  Seconds memory_bound_time(const Kernel& kernel) const;

  DeviceSpec device_;
  FlopsPerSecond peak_;
  FlopsPerSecond fp8_peak_;
  bool has_narrow_factors_;  ///< and the device's fp32 peak is known
  FlopsPerSecond fp32_peak_;
  Seconds host_launch_;
  Seconds checkpoint_pause_;
  double share_of_collectives_ = 0;
  std::optional<FlashAttention> flash_;
  bool flash_skips_masked_;
  std::vector<std::vector<KernelRate>> rates_;  ///< by kernel kind, ascending size
};

}  // namespace portolan
