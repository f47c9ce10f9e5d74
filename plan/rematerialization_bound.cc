#include "plan/rematerialization_bound.h"

#include <algorithm>
#include <limits>

namespace portolan {

namespace {

/// From one choice of the hull to the next: bytes more, time less.
struct HullStep {
  double bytes = 0;
  double gain = 0;

  /// Whether it gains more a byte; what costs no bytes comes first.
  bool is_before(const HullStep& other) const { return gain * other.bytes > other.gain * bytes; }
};

struct Hull {
  std::int64_t bytes = 0;  ///< of the choice that saves least; of several the fastest
  double recompute = 0;
  std::vector<HullStep> steps;  ///< each gains less a byte than the one before
};

Hull hull_of(const std::vector<LayerChoice>& choices) {
  std::vector<std::pair<std::int64_t, double>> points;
  points.reserve(choices.size());
  for (const LayerChoice& choice : choices) {
    points.emplace_back(choice.saved.value, choice.recompute.value);
  }
  std::sort(points.begin(), points.end());
  Hull hull{.bytes = points.front().first, .recompute = points.front().second, .steps = {}};
  double recompute = hull.recompute;
  auto at = points.front();
  for (const auto& point : points) {
    if (point.second >= recompute) {
      continue;
    }
    HullStep step{static_cast<double>(point.first - at.first), at.second - point.second};
    while (!hull.steps.empty() && step.is_before(hull.steps.back())) {
      step.bytes += hull.steps.back().bytes;
      step.gain += hull.steps.back().gain;
      hull.steps.pop_back();
    }
    hull.steps.push_back(step);
    at = point;
    recompute = point.second;
  }
  return hull;
}

}  // namespace

RecomputeHull::RecomputeHull(const std::vector<std::vector<LayerChoice>>& kinds,
                             const std::vector<Layer>& layers)
    : tails_(layers.size() + 1) {
  std::vector<Hull> hulls;
  hulls.reserve(kinds.size());
  for (const std::vector<LayerChoice>& choices : kinds) {
    hulls.push_back(hull_of(choices));
  }
  std::vector<HullStep> steps;  // of the layers from one on, the best first
  for (std::size_t first = layers.size(); first-- > 0;) {
    const Hull& hull = hulls[layers[first].kind];
    const std::int64_t weight = layers[first].weight;
    for (const HullStep& step : hull.steps) {
      const HullStep weighted{step.bytes * static_cast<double>(weight), step.gain};
      const auto place =
          std::upper_bound(steps.begin(), steps.end(), weighted,
                           [](const HullStep& one, const HullStep& other) { return one.is_before(other); });
      // Equal layers make one longer step.
      const bool goes_on = place != steps.begin() && !std::prev(place)->is_before(weighted);
      if (goes_on) {
        std::prev(place)->bytes += weighted.bytes;
        std::prev(place)->gain += weighted.gain;
      } else {
        steps.insert(place, weighted);
      }
    }
    Tail& tail = tails_[first];
    tail.bytes = tails_[first + 1].bytes + hull.bytes * weight;
    tail.recompute = tails_[first + 1].recompute + hull.recompute;
    double bytes = 0, gained = 0;
    for (const HullStep& step : steps) {
      tail.further_bytes.push_back(bytes += step.bytes);
      tail.gained.push_back(gained += step.gain);
    }
  }
}

double RecomputeHull::seconds_per_byte(std::size_t first, std::int64_t bytes) const {
  const Tail& tail = tails_[first];
  const auto further = static_cast<double>(bytes - tail.bytes);
  const auto place = std::upper_bound(tail.further_bytes.begin(), tail.further_bytes.end(), further);
  if (bytes < tail.bytes || place == tail.further_bytes.end()) {
    return 0;
  }
  const auto i = static_cast<std::size_t>(place - tail.further_bytes.begin());
  const double before_bytes = i > 0 ? tail.further_bytes[i - 1] : 0;
  const double before = i > 0 ? tail.gained[i - 1] : 0;
  return (tail.gained[i] - before) / (*place - before_bytes);
}

double RecomputeHull::least_recompute(std::size_t first, std::int64_t bytes) const {
  const Tail& tail = tails_[first];
  if (bytes < tail.bytes) {
    return std::numeric_limits<double>::infinity();
  }
  const auto further = static_cast<double>(bytes - tail.bytes);
  const auto place = std::upper_bound(tail.further_bytes.begin(), tail.further_bytes.end(), further);
  const auto i = static_cast<std::size_t>(place - tail.further_bytes.begin());
  const double before_bytes = i > 0 ? tail.further_bytes[i - 1] : 0;
  const double before = i > 0 ? tail.gained[i - 1] : 0;
  if (place == tail.further_bytes.end()) {
    return tail.recompute - before;
  }
  const double part = (further - before_bytes) / (*place - before_bytes);
  return tail.recompute - before - part * (tail.gained[i] - before);
}

}  // namespace portolan
