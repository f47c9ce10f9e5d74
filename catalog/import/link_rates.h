#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/quantity.h"

namespace portolan {

/// Rates that standards fix and that reports name by a word only. One direction of one link; nothing where
/// the word is not known. Rates of data: line codes (8b/10b, 64b/66b, 128b/130b, flits) are taken off.

/// `width` lanes of a speed word of ibnetdiscover: "HDR". Source: InfiniBand Trade Association, roadmap; for
/// SDR to FDR the architecture specification, volume 2 (signalling rates and codes).
std::optional<BytesPerSecond> infiniband_rate(std::int64_t width, std::string_view speed);

/// `width` lanes of `gigatransfers` 10^9 transfers per second. Source: PCI Express base specifications 1
/// to 6.
std::optional<BytesPerSecond> pcie_rate(double gigatransfers, std::int64_t width);

/// One NVLink of a GPU of compute capability `sm` ("80" for 8.0). Source: NVIDIA's white papers on Pascal,
/// Volta, Turing, Ampere (GA100, GA102), Hopper and Blackwell: NVLink bandwidth over links over 2 directions.
std::optional<BytesPerSecond> nvlink_rate(std::int64_t sm);

}  // namespace portolan
