#include "plan/collectives/measured_time.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace portolan {

std::optional<Seconds> measured_time(const std::vector<CollectivePoint>& points, std::string_view collective,
                                     std::int64_t num_ranks, Bytes size) {
  std::vector<const CollectivePoint*> curve;
  std::int64_t nearest = 0;
  for (const CollectivePoint& point : points) {
    if (point.collective == collective &&
        (nearest == 0 || std::abs(point.num_ranks - num_ranks) < std::abs(nearest - num_ranks))) {
      nearest = point.num_ranks;
    }
  }
  for (const CollectivePoint& point : points) {
    if (point.collective == collective && point.num_ranks == nearest) {
      curve.push_back(&point);
    }
  }
  if (curve.empty()) {
    return std::nullopt;
  }
  std::sort(curve.begin(), curve.end(), [](const auto* a, const auto* b) { return a->size < b->size; });
  if (size <= curve.front()->size) {
    return curve.front()->time;
  }
  if (size >= curve.back()->size) {
    return curve.back()->time * (size / curve.back()->size);
  }
  const auto above = std::find_if(curve.begin(), curve.end(), [&](const auto* p) { return p->size >= size; });
  const CollectivePoint& low = **(above - 1);
  const CollectivePoint& high = **above;
  const double share = std::log(size / low.size) / std::log(high.size / low.size);
  return Seconds(low.time.value * std::pow(high.time / low.time, share));
}

}  // namespace portolan
