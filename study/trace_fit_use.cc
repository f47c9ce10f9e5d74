#include <fmt/format.h>

#include <utility>

#include "study/trace_fit.h"

namespace portolan {

void set_trace_fit(const TraceFit& fit, const std::string& source, Hardware& hardware) {
  DeviceSpec& device = hardware.device;
  const auto of_rows = [&](std::int64_t rows, const char* what, const FitError& held_back) {
    return fmt::format("fit to {} {} of {}: {:.1f} % mean error held back", rows, what, source,
                       held_back.mean_pct);
  };
  if (fit.tiles) {
    GemmTiles tiles = fit.tiles->tiles;
    tiles.k_overhead.source = of_rows(fit.tiles->num_rows, "products", fit.tiles->held_back);
    tiles.multiprocessors.source = "--multiprocessors";
    if (device.gemm_tiles) {
      tiles.multiprocessors = device.gemm_tiles->multiprocessors;
      tiles.weight_gradient_rate = device.gemm_tiles->weight_gradient_rate;
    }
    device.gemm_tiles = std::move(tiles);
  } else if (fit.products) {
    const std::string scaled =
        fmt::format("; times {:.3f}: {}", fit.products->factor,
                    of_rows(fit.products->num_rows, "products", fit.products->held_back));
    if (device.gemm_tiles) {
      for (GemmTile& tile : device.gemm_tiles->sizes) {
        tile.efficiency *= fit.products->factor;
      }
      device.gemm_tiles->k_overhead.source += "; efficiencies of tiles" + scaled.substr(1);
      device.gemm_tiles->k_overhead.unvalidated = false;
    } else {
      device.gemm_efficiency = {device.gemm_efficiency.value * fit.products->factor,
                                device.gemm_efficiency.source + scaled};
    }
  }
  if (fit.weight_gradient_rate && device.gemm_tiles) {
    device.gemm_tiles->weight_gradient_rate = {*fit.weight_gradient_rate,
                                               "median of weight gradients of " + source};
  }
  for (const TracedAttentionFit& one : fit.attention) {
    FlashAttention constants = one.constants;
    constants.efficiency.source = of_rows(one.num_rows, "kernels", one.held_back);
    if (one.mask_is_fitted) {
      constants.mask_overhead.source = constants.efficiency.source;
    }
    set_fitted(device.flash_attention, std::move(constants));
  }
  for (const KernelRate& rate : fit.kernel_rates) {
    std::erase_if(device.kernel_rates, [&](const KernelRate& known) { return known.kernel == rate.kernel; });
  }
  for (KernelRate rate : fit.kernel_rates) {
    rate.source = "measured: " + source;
    device.kernel_rates.push_back(std::move(rate));
  }
  if (fit.links) {
    set_links(*fit.links, of_rows(fit.links->num_fitted, "collectives", fit.links->held_back), hardware);
  }
}

}  // namespace portolan
