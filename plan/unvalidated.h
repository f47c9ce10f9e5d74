#pragma once

#include <string>
#include <vector>

#include "plan/program.h"
#include "plan/scenario.h"
#include "plan/strategy.h"
#include "topology/cluster.h"

namespace portolan {

/// A figure that no measurement supports and that a prediction rests on.
struct UnvalidatedFigure {
  /// By its key in the file: "device.kernel_launch", "nic.efficiency", "software.host_launch"; or what is
  /// priced by figures that were measured on something else: "kernel.gelu_forward", "collective.all_gather".
  std::string figure;
  std::string source;  ///< what it is derived from

  bool operator==(const UnvalidatedFigure&) const = default;
};

/// The figures that time, memory or energy of `program` rest on and that no measurement supports, in the
/// order of the files: device, the network's switches, links, steps of rings, collectives, kernels, software.
/// - Of the hardware and the software profile: those marked `unvalidated` that enter the cost of an op of
///   this program. A link counts when a payload crosses it, its latency when a send does; the number of
///   cards or switches when a payload crosses them, of a tier that is left out when one would; a ring's step
///   when no collective_points stand in for it; a feature of the software when this strategy and model meet
///   it. What a framework is able to do decides what the search tries, not what a plan costs.
/// - Copies to and from hosts, which no hardware file has measured, and the hosts' memory where it is
/// unknown.
/// - Products in fp8, and in fp32 and tf32 where the device has a peak of a 16-bit precision: its figures of
///   products, points and flash kernels are then of that.
/// - Attention of a model with a sliding window shorter than the sequence; flash attention of latent heads;
///   experts' grouped products without points of their own, and that experts are loaded evenly.
/// - Compression of gradients.
/// - Collectives and sends without collective_points of their own, other than the all-reduce, of which the
///   efficiencies of links are; memory-bound kernels without kernel_rates of their own, priced by bytes.
/// Precondition: `program` is what `scenario` and `strategy` lower to, on `cluster`.
std::vector<UnvalidatedFigure> unvalidated_figures(const Scenario& scenario, const Strategy& strategy,
                                                   const Program& program, const Cluster& cluster);

}  // namespace portolan
