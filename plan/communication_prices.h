#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "base/quantity.h"
#include "plan/program.h"
#include "topology/cluster.h"
#include "topology/placement.h"

namespace portolan {

/// A communication's time as a line over its payload.
struct CommunicationLine {
  double seconds_per_byte = 0;
  Seconds latency;

  Seconds of(Bytes bytes) const {
    return bytes.value == 0 ? Seconds(0)
                            : Seconds(seconds_per_byte * static_cast<double>(bytes.value)) + latency;
  }
};

/// Times of communication ops when all groups of a stage do them together and nothing else happens. Flows
/// grow with the payload and links are shared in proportion, so that the time is a line: each is found once
/// for a way of placing ranks and remembered. Not thread-safe.
class CommunicationPrices {
 public:
  /// `cluster` must outlive it.
  explicit CommunicationPrices(const Cluster& cluster) : cluster_(cluster) {}

  const Cluster& cluster() const { return cluster_; }

  /// op.bytes does not matter. Precondition: the cluster has a device for each rank. With measured points in
  /// the hardware file this is the line through 1 GiB: ask for the time.
  CommunicationLine line(const Placement& placement, const Op& op, std::int32_t stage);
  Seconds time(const Placement& placement, const Op& op, std::int32_t stage);
  /// Sends from each stage but the last to the next.
  const std::vector<CommunicationLine>& sends(const Placement& placement);

 private:
  /// What of a placement decides over the flows of an op: runs of neighbouring axes that tell members of a
  /// group apart, or groups, or stages, from the axis that varies fastest.
  enum class Tells : std::uint8_t { kNothing, kMembers, kGroups, kStages };
  using Layout = std::array<std::pair<Tells, std::int32_t>, kNumAxes>;
  static Layout layout_of(const Placement& placement, AxisSet members);

  using Key = std::tuple<Layout, OpKind, CollectiveKind, CollectiveAlgorithm, GroupKind, std::int32_t,
                         std::int32_t, std::int32_t>;

  const Cluster& cluster_;
  std::map<Key, CommunicationLine> lines_;
  std::map<Layout, std::vector<CommunicationLine>> sends_;
};

}  // namespace portolan
