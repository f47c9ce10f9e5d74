#include "study/measured_points.h"

#include <map>
#include <set>
#include <tuple>

namespace portolan {

std::string name_of_points(CollectiveKind kind) {
  return kind == CollectiveKind::kShift ? "send_receive" : std::string(collective_name(kind));
}

std::vector<CollectivePoint> measured_points(const std::vector<MeasuredCollective>& collectives,
                                             const Hardware& hardware) {
  std::map<CollectiveKind, std::set<std::int64_t>> ranks;
  std::map<std::tuple<CollectiveKind, std::int64_t, Bytes>, std::vector<double>> times;
  for (const MeasuredCollective& collective : collectives) {
    const std::int64_t num_ranks = std::ssize(collective.members);
    ranks[collective.kind].insert(num_ranks);
    for (const MeasuredCollective::Row& row : collective.rows) {
      times[{collective.kind, num_ranks, row.size}].push_back(row.time.value);
    }
  }
  const auto is_covered = [&](CollectiveKind kind) {
    for (std::int64_t n = 2; n <= hardware.gpus_per_node; ++n) {
      if (hardware.gpus_per_node % n == 0 && !ranks[kind].contains(n) && kind != CollectiveKind::kShift) {
        return false;
      }
    }
    return true;
  };
  std::vector<CollectivePoint> points;
  if (hardware.num_nodes > 1) {
    return points;
  }
  for (const auto& [key, measured] : times) {
    const auto& [kind, num_ranks, size] = key;
    if (is_covered(kind)) {
      double sum = 0;
      for (const double time : measured) {
        sum += time;
      }
      points.push_back(
          {name_of_points(kind), num_ranks, size, Seconds(sum / static_cast<double>(measured.size()))});
    }
  }
  return points;
}

}  // namespace portolan
