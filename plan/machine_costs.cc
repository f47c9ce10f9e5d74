#include "plan/machine_costs.h"

#include "plan/collectives/flow_set.h"
#include "plan/compressed_sum.h"
#include "plan/legality.h"
#include "plan/rank_place.h"

namespace portolan {

namespace {

/// Prices ops of one strategy's ranks.
class MachinePricing {
 public:
  MachinePricing(const Scenario& scenario, const Strategy& strategy, CommunicationPrices& prices)
      : scenario_(scenario), strategy_(strategy), placement_(placement_of(strategy)), prices_(prices) {}

  MachineCosts run() const {
    MachineCosts costs;
    const std::int32_t sharers = zero_sharers(strategy_);
    costs.data = group(kDataAxes, GroupKind::kAxes, 1);
    costs.expert_data = group(kExpertDataAxes, GroupKind::kAxes, 1);
    costs.sharers = group(kDataAxes, GroupKind::kBlock, sharers);
    costs.strides = group(kDataAxes, GroupKind::kStride, sharers);
    if (strategy_.gradient_aggregation.compression.is_quantized()) {
      costs.data_hops = hops(kDataAxes, gradient_sum(scenario_, strategy_, false).ranks_per_node);
      costs.expert_data_hops = hops(kExpertDataAxes, gradient_sum(scenario_, strategy_, true).ranks_per_node);
    }
    Op ends = collective({Axis::kPipeline}, CollectiveKind::kAllReduce);
    ends.group = GroupKind::kFirstAndLastStage;
    costs.ends = line(ends);
    costs.tensor = line(collective({Axis::kTensor}, CollectiveKind::kAllReduce));
    price_sends(costs);
    if (const auto route = prices_.cluster().host_route(0)) {
      const Flow flow{.source = 0, .destination = kHostEnd, .bytes = 1};  // no two devices share PCIe
      costs.copy = {uncontended_time(prices_.cluster(), {.flows = {flow}, .latency = {}}).value,
                    route->latency};
    }
    return costs;
  }

 private:
  static Op collective(AxisSet axes, CollectiveKind kind) {
    Op op;
    op.kind = OpKind::kCollective;
    op.axes = axes;
    op.collective = kind;
    return op;
  }

  CommunicationLine line(const Op& op) const { return prices_.line(placement_, op, 0); }

  CommunicationLine line(const Op& op, GroupKind kind, std::int32_t size,
                         CollectiveAlgorithm algorithm) const {
    Op of_group = op;
    of_group.group = kind;
    of_group.group_size = size;
    of_group.algorithm = algorithm;
    return line(of_group);
  }

  GroupCosts group(AxisSet axes, GroupKind kind, std::int32_t size) const {
    const auto of = [&](CollectiveKind collective_kind, CollectiveAlgorithm algorithm) {
      return line(collective(axes, collective_kind), kind, size, algorithm);
    };
    const CollectiveAlgorithm of_sums = strategy_.gradient_aggregation.algorithm;
    GroupCosts costs{.all_reduce = of(CollectiveKind::kAllReduce, of_sums),
                     .reduce_scatter = of(CollectiveKind::kReduceScatter, of_sums),
                     .all_gather = of(CollectiveKind::kAllGather, CollectiveAlgorithm::kRing),
                     .all_to_all = {},
                     .sum_gather = {}};
    const Compression& compression = strategy_.gradient_aggregation.compression;
    const bool gathers = compression.is_quantized() || compression.kind == CompressionKind::kTopK;
    if (kind == GroupKind::kAxes && gathers) {
      costs.all_to_all =
          compression.is_quantized() ? of(CollectiveKind::kAllToAll, of_sums) : costs.all_to_all;
      costs.sum_gather = of(CollectiveKind::kAllGather, of_sums);
    }
    return costs;
  }

  NodeHops hops(AxisSet axes, std::int64_t ranks_per_node) const {
    if (ranks_per_node == 1) {
      return {};
    }
    const auto of = [&](GroupKind kind) {
      const auto priced = [&](CollectiveKind collective_kind) {
        return line(collective(axes, collective_kind), kind, static_cast<std::int32_t>(ranks_per_node),
                    CollectiveAlgorithm::kRing);
      };
      GroupCosts costs;
      costs.all_to_all = priced(CollectiveKind::kAllToAll);
      costs.sum_gather = priced(CollectiveKind::kAllGather);
      return costs;
    };
    return {.within = of(GroupKind::kBlock), .across = of(GroupKind::kStride)};
  }

  void price_sends(MachineCosts& costs) const {
    const Strategy& s = strategy_;
    const BoundaryBytes boundary = boundary_bytes(scenario_, s);
    for (const CommunicationLine& send : prices_.sends(placement_)) {
      costs.sends.push_back(send.of(boundary.sent));
    }
    if (s.virtual_stages > 1) {
      Op send;
      send.kind = OpKind::kSend;
      send.axes = {Axis::kPipeline};
      send.bytes = boundary.sent;
      send.peer_offset = 1 - s.pipeline_parallel;
      costs.wrap_send = prices_.time(placement_, send, s.pipeline_parallel - 1);
    }
    if (boundary.sent < boundary.held) {
      Op gather = collective({Axis::kTensor}, CollectiveKind::kAllGather);
      gather.bytes = boundary.held;
      costs.gather = prices_.time(placement_, gather, 0);
    }
  }

  const Scenario& scenario_;
  const Strategy& strategy_;
  Placement placement_;
  CommunicationPrices& prices_;
};

}  // namespace

MachineCosts machine_costs(const Scenario& scenario, const Strategy& strategy, CommunicationPrices& prices) {
  return MachinePricing(scenario, strategy, prices).run();
}

}  // namespace portolan
