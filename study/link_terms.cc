#include "study/link_terms.h"

#include <algorithm>
#include <utility>

#include "plan/collectives/collective_flows.h"

namespace portolan {

namespace {

/// Bandwidth of links that are not to limit anything.
constexpr double kUnlimited = 1e30;
/// s/B, and what its steps cost in s.
std::pair<double, double> priced_on(const Cluster& cluster, const MeasuredCollective& collective) {
  const FlowSet flows = collective_flows(
      cluster, {.kind = collective.kind, .members = collective.members, .payload = Bytes(kGibi)});
  const Seconds transfer = uncontended_time(cluster, flows) - flows.latency;
  return {std::max(transfer.value, 0.0) / static_cast<double>(kGibi), flows.latency.value};
}

}  // namespace

LinkTermFinder::LinkTermFinder(Cluster nvlink, Cluster nic, Cluster others)
    : nvlink_(std::move(nvlink)), nic_(std::move(nic)), others_(std::move(others)) {}

Result<LinkTermFinder> LinkTermFinder::make(Hardware hardware) {
  hardware.collective_points.clear();
  hardware.collective_base.value = hardware.intra_node_step.value = hardware.inter_node_step.value = {};
  const auto unlimited = [](LinkSpec& link) { link.bandwidth.value = BytesPerSecond(kUnlimited); };
  const auto as_nominal = [](LinkSpec& link) { link.efficiency.value = 1; };
  Hardware of_nvlink = hardware, of_nic = hardware, of_others = hardware;
  for (Hardware* one : {&of_nvlink, &of_nic}) {
    for (LinkSpec* link : {&one->trunk, &one->core_trunk, one->pcie ? &*one->pcie : nullptr}) {
      if (link != nullptr) {
        unlimited(*link);
      }
    }
  }
  unlimited(of_nvlink.nic);
  as_nominal(of_nvlink.nvlink);
  of_nvlink.intra_node_step.value = Seconds(1);
  unlimited(of_nic.nvlink);
  as_nominal(of_nic.nic);
  of_nic.inter_node_step.value = Seconds(1);
  unlimited(of_others.nvlink);
  unlimited(of_others.nic);
  of_others.collective_base.value = Seconds(1);
  PORTOLAN_TRY(Cluster nvlink, Cluster::build(std::move(of_nvlink)));
  PORTOLAN_TRY(Cluster nic, Cluster::build(std::move(of_nic)));
  PORTOLAN_TRY(Cluster others, Cluster::build(std::move(of_others)));
  return LinkTermFinder(std::move(nvlink), std::move(nic), std::move(others));
}

LinkTerms LinkTermFinder::terms_of(const MeasuredCollective& collective) const {
  const auto [nvlink, intra] = priced_on(nvlink_, collective);
  const auto [nic, inter] = priced_on(nic_, collective);
  const auto [others, bases] = priced_on(others_, collective);
  return {.nvlink = nvlink,
          .nic = nic,
          .others = others,
          .bases = bases,
          .intra_steps = intra,
          .inter_steps = inter,
          .steps_side_by_side = collective.kind == CollectiveKind::kShift};
}

}  // namespace portolan
