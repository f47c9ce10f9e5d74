#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/quantity.h"
#include "topology/hardware.h"

namespace portolan {

/// Time of `collective` at `size` from measured points: log-log interpolation between sizes, proportional to
/// size above the largest, constant below the smallest. Points of the nearest number of ranks count.
std::optional<Seconds> measured_time(const std::vector<CollectivePoint>& points, std::string_view collective,
                                     std::int64_t num_ranks, Bytes size);

}  // namespace portolan
