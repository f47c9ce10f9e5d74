#include "plan/machine_costs.h"

#include "plan/collectives/flow_set.h"
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
    costs.data = group(kDataAxes, GroupKind::kAxes);
    costs.expert_data = group(kExpertDataAxes, GroupKind::kAxes);
    costs.sharers = group(kDataAxes, GroupKind::kBlock);
    costs.strides = group(kDataAxes, GroupKind::kStride);
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

  GroupCosts group(AxisSet axes, GroupKind kind) const {
    const auto of = [&](CollectiveKind collective_kind) {
      Op op = collective(axes, collective_kind);
      if (collective_kind != CollectiveKind::kAllGather) {  // what is gathered are parameters
        op.algorithm = strategy_.gradient_aggregation.algorithm;
      }
      op.group = kind;
      op.group_size = zero_sharers(strategy_);
      return line(op);
    };
    return {.all_reduce = of(CollectiveKind::kAllReduce),
            .reduce_scatter = of(CollectiveKind::kReduceScatter),
            .all_gather = of(CollectiveKind::kAllGather)};
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
