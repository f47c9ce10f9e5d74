#pragma once

#include <cstddef>
#include <vector>

#include "plan/closed_form.h"
#include "plan/scenario.h"
#include "plan/simulate.h"
#include "plan/strategy.h"
#include "topology/cluster.h"

namespace portolan {

/// Small models on 2 nodes of 4 GPUs, whose spaces below are exhausted in milliseconds a strategy: a dense
/// one with dropout and communication beside compute; one with experts and latent attention.
std::vector<Scenario> wide_scenarios();

/// Legal strategies over all of tensor, sequence, context, expert, pipeline and data parallelism, every
/// schedule, ZeRO 0 to 3, buckets beside the passes. From one to the next recomputation changes, and what
/// else is asked for: fp8, offload, trees and hierarchies, uneven stages, sharding groups, compressed sums,
/// nothing. Every
/// `step`-th from number `first` on.
std::vector<Strategy> wide_grid(const Scenario& scenario, std::size_t step = 1, std::size_t first = 0);

/// A scenario with what depends on its hardware.
class World {
 public:
  explicit World(Scenario scenario)
      : scenario_(std::move(scenario)),
        cluster_(Cluster::build(scenario_.hardware).value()),
        closed_form_(scenario_, cluster_) {}
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Estimate estimate(const Strategy& strategy, Fidelity fidelity);

 private:
  Scenario scenario_;
  Cluster cluster_;
  ClosedForm closed_form_;
};

}  // namespace portolan
