#include <algorithm>
#include <cassert>
#include <cmath>
#include <optional>

#include "plan/cost.h"
#include "plan/gemm_tiles.h"
#include "plan/legality.h"

namespace portolan {

namespace {

double log_size(std::int64_t size) { return std::log2(static_cast<double>(std::max<std::int64_t>(size, 1))); }

/// Squared distance of two products in doublings of each size; how many of them a batch holds hardly matters.
double distance(const GemmPoint& point, const KernelShape& shape) {
  const double dm = log_size(point.m) - log_size(shape.gemm_m);
  const double dn = log_size(point.n) - log_size(shape.gemm_n);
  const double dk = log_size(point.k) - log_size(shape.gemm_k);
  const double db = 0.25 * (log_size(point.batch) - log_size(shape.gemm_batch));
  return dm * dm + dn * dn + dk * dk + db * db;
}

/// Time per FLOP averaged over measured products of the layout, weighted by the inverse fourth power of
/// distance (Shepard 1968): exact at a measured point, local between them.
std::optional<FlopsPerSecond> measured_rate(const std::vector<GemmPoint>& points, GemmLayout layout,
                                            const KernelShape& shape) {
  double weights = 0;
  double weighted_time = 0;
  for (const GemmPoint& point : points) {
    if (point.layout != layout) {
      continue;
    }
    const double d2 = distance(point, shape);
    if (d2 < 1e-12) {
      return point.rate;
    }
    const double weight = 1.0 / (d2 * d2);
    weights += weight;
    weighted_time += weight / point.rate.value;
  }
  if (weights == 0) {
    return std::nullopt;
  }
  return FlopsPerSecond(weights / weighted_time);
}

}  // namespace

GemmLayout gemm_layout(KernelKind kind) {
  switch (kind) {
    case KernelKind::kLinearForward:
      return GemmLayout::kForward;
    case KernelKind::kLinearBackwardInput:
      return GemmLayout::kBackwardInput;
    case KernelKind::kLinearBackwardWeight:
      return GemmLayout::kBackwardWeight;
    default:
      return GemmLayout::kAttention;
  }
}

KernelCost::KernelCost(const Hardware& hardware, Precision precision, const SoftwareProfile& software)
    : device_(hardware.device),
      peak_(device_.peak.at(wide_precision(precision)).value),
      fp8_peak_(device_.peak.at(precision).value),
      has_narrow_factors_(compute_bytes(precision) == 2 && device_.peak.contains(Precision::kFp32)),
      fp32_peak_(has_narrow_factors_ ? device_.peak.at(Precision::kFp32).value : peak_),
      host_launch_(software.host_launch.value),
      checkpoint_pause_(software.checkpoint_pause.value),
      flash_skips_masked_(software.flash_skips_masked.value),
      rates_(kNumKernelKinds) {
  if (device_.multiprocessors.value > 0) {
    const std::int64_t most = device_.multiprocessors.value - 1;  // compute goes on
    share_of_collectives_ =
        static_cast<double>(std::min<std::int64_t>(software.communicator_channels.value, most)) /
        static_cast<double>(device_.multiprocessors.value);
  }
  if (const FlashAttention* flash = find_flash_attention(device_, software.flash_version.value)) {
    flash_ = *flash;
  }
  for (const KernelRate& rate : device_.kernel_rates) {
    if (const auto kind = find_kernel(rate.kernel)) {
      rates_[static_cast<std::size_t>(*kind)].push_back(rate);
    }
  }
  for (auto& list : rates_) {
    std::sort(list.begin(), list.end(),
              [](const KernelRate& a, const KernelRate& b) { return a.elements < b.elements; });
  }
}

const FlashAttention* find_flash_attention(const DeviceSpec& device, std::int64_t version) {
  const auto found = std::find_if(device.flash_attention.begin(), device.flash_attention.end(),
                                  [&](const FlashAttention& one) { return one.version == version; });
  return found == device.flash_attention.end() ? nullptr : &*found;
}

double KernelCost::gemm_efficiency(KernelKind kind) const {
  return is_attention_gemm(kind) ? device_.attention_gemm_efficiency.value : device_.gemm_efficiency.value;
}

Seconds KernelCost::flash_time(const Kernel& kernel, const FlashAttention& flash) const {
  // A window has an edge like the diagonal: what both cost together in tokens, over the keys of each query.
  const KernelShape& shape = kernel.shape;
  const auto keys =
      static_cast<double>(std::max<std::int64_t>(shape.window > 0 ? shape.gemm_n : shape.sequence, 1));
  const double of_mask = flash_skips_masked_ ? 1 + flash.mask_overhead.value / keys : 1;
  const double efficiency = kernel.kind == KernelKind::kFlashAttentionForward ? flash.forward_efficiency()
                                                                              : flash.backward_efficiency();
  return kernel.flops / (peak_ * efficiency) * of_mask;
}

bool KernelCost::goes_without_tensor_cores(const Kernel& kernel) const {
  constexpr std::int64_t kAlignment = 8;  // 16 bytes
  const KernelShape& shape = kernel.shape;
  const auto is_aligned = [](std::int64_t size) { return size % kAlignment == 0; };
  return has_narrow_factors_ && is_attention_gemm(kernel.kind) && !is_flash_attention(kernel.kind) &&
         !(is_aligned(shape.gemm_m) && is_aligned(shape.gemm_n) && is_aligned(shape.gemm_k));
}

Seconds KernelCost::gemm_time(const Kernel& kernel) const {
  const bool fp8 = kernel.shape.factor_bytes == 1;
  // A flash kernel's own figures say more of it than single products do; fp8 products were not measured.
  const bool is_flash = flash_ && is_flash_attention(kernel.kind);
  if (!fp8 && !is_flash) {
    if (const auto rate = measured_rate(device_.gemm_points, gemm_layout(kernel.kind), kernel.shape)) {
      return kernel.flops / *rate;
    }
  }
  const FlopsPerSecond peak = fp8 ? fp8_peak_ : peak_;
  Seconds arithmetic;
  if (is_flash) {
    arithmetic = flash_time(kernel, *flash_);
  } else if (goes_without_tensor_cores(kernel)) {
    arithmetic = kernel.flops / (fp32_peak_ * gemm_efficiency(kernel.kind));
  } else if (device_.gemm_tiles && !is_flash_attention(kernel.kind)) {
    const bool adds = kernel.kind == KernelKind::kLinearBackwardWeight;
    arithmetic = tiled_gemm_time(*device_.gemm_tiles, peak, kernel.shape) /
                 (adds ? device_.gemm_tiles->weight_gradient_rate.value : 1);
  } else {
    arithmetic = kernel.flops / (peak * gemm_efficiency(kernel.kind));
  }
  const Seconds memory = kernel.bytes / (device_.memory_bandwidth.value * device_.memory_efficiency.value);
  return std::max(arithmetic, memory) + device_.kernel_launch.value;
}

Seconds KernelCost::memory_bound_time(const Kernel& kernel) const {
  const auto& rates = rates_[static_cast<std::size_t>(kernel.kind)];
  if (rates.empty()) {
    return kernel.bytes / (device_.memory_bandwidth.value * device_.memory_efficiency.value) +
           device_.kernel_launch.value;
  }
  // Rate against log size, linear between measured sizes, constant beyond them.
  const std::int64_t elements =
      std::max<std::int64_t>(kernel.shape.rows, 1) * std::max<std::int64_t>(kernel.shape.columns, 1);
  const auto above =
      std::find_if(rates.begin(), rates.end(), [&](const KernelRate& r) { return r.elements >= elements; });
  if (above == rates.begin() || above == rates.end()) {
    const KernelRate& nearest = above == rates.end() ? rates.back() : rates.front();
    return kernel.bytes / nearest.rate;
  }
  const KernelRate& low = *(above - 1);
  const KernelRate& high = *above;
  const double share =
      (log_size(elements) - log_size(low.elements)) / (log_size(high.elements) - log_size(low.elements));
  return kernel.bytes / BytesPerSecond(low.rate.value + share * (high.rate.value - low.rate.value));
}

Seconds KernelCost::time(const Kernel& kernel) const {
  assert(!is_communication(kernel.kind));
  if (is_low_rank(kernel.kind)) {
    const Seconds arithmetic = kernel.flops / (fp32_peak_ * device_.gemm_efficiency.value);
    return std::max(arithmetic + device_.kernel_launch.value, memory_bound_time(kernel));
  }
  return is_gemm(kernel.kind) ? gemm_time(kernel) : memory_bound_time(kernel);
}

}  // namespace portolan
