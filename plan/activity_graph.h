#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/quantity.h"

namespace portolan {

/// What the simulator runs: work on devices and payloads over links, with dependencies. Nothing here knows
/// why an activity exists; `unfold` makes it from a Program and remembers which op each one belongs to.
struct Activity {
  enum class Kind : std::uint8_t {
    kCompute,   ///< `seconds` of `device`'s time
    kTransfer,  ///< `bytes` over the links of `path`, sharing them fairly, after `latency`
    kJoin,      ///< takes no time: the meeting point of several activities
  };
  Kind kind = Kind::kJoin;
  std::int32_t device = 0;  ///< index below ActivityGraph::num_devices
  std::int32_t path = 0;    ///< kTransfer: index into the graph's paths
  double bytes = 0;         ///< kTransfer; may be scaled to an effective payload, hence no whole number
  Seconds seconds{};        ///< kCompute, on a device at its full speed
  Seconds fixed{};          ///< kCompute: how much of `seconds` is the same at any speed
  Seconds latency{};        ///< kTransfer

  bool operator==(const Activity&) const = default;
};

/// A capacity shared by the transfers that cross it.
struct SharedLink {
  std::string name;
  BytesPerSecond bandwidth;

  bool operator==(const SharedLink&) const = default;
};

/// From a time on a link or a device is slower, or as fast as it was.
struct RateChange {
  enum class Kind : std::uint8_t { kLink, kDevice };
  Seconds at;  ///< from the start of the graph
  Kind kind = Kind::kLink;
  std::int32_t index = 0;  ///< of a link or a device
  double share = 1;        ///< of the link's bandwidth or of the device's full speed, above 0, at most 1

  bool operator==(const RateChange&) const = default;
};

/// Acyclic. Lists of lists are stored as one flat vector and `num + 1` offsets.
struct ActivityGraph {
  std::int32_t num_devices = 0;
  std::vector<SharedLink> links;
  std::vector<std::int32_t> path_offsets = {0};
  std::vector<std::int32_t> path_links;
  std::vector<Activity> activities;
  std::vector<std::int32_t> successor_offsets = {0};  ///< set by set_dependencies
  std::vector<std::int32_t> successors;
  std::vector<std::int32_t> num_predecessors;
  std::vector<RateChange> changes;  ///< in the order of their times

  std::span<const std::int32_t> links_of_path(std::int32_t path) const {
    const auto begin = static_cast<std::size_t>(path_offsets[static_cast<std::size_t>(path)]);
    const auto end = static_cast<std::size_t>(path_offsets[static_cast<std::size_t>(path) + 1]);
    return std::span(path_links).subspan(begin, end - begin);
  }
  std::span<const std::int32_t> successors_of(std::int32_t activity) const {
    const auto begin = static_cast<std::size_t>(successor_offsets[static_cast<std::size_t>(activity)]);
    const auto end = static_cast<std::size_t>(successor_offsets[static_cast<std::size_t>(activity) + 1]);
    return std::span(successors).subspan(begin, end - begin);
  }
  std::int32_t add_path(std::span<const std::int32_t> links_in_order) {
    path_links.insert(path_links.end(), links_in_order.begin(), links_in_order.end());
    path_offsets.push_back(static_cast<std::int32_t>(path_links.size()));
    return static_cast<std::int32_t>(path_offsets.size()) - 2;
  }
};

/// Start and end of each activity, by its index.
struct ActivityTimes {
  std::vector<double> start_s;
  std::vector<double> end_s;
  Seconds makespan;

  bool operator==(const ActivityTimes&) const = default;
};

}  // namespace portolan
