#pragma once

#include "base/result.h"
#include "plan/scenario.h"
#include "plan/strategy.h"
#include "topology/cluster.h"

namespace portolan {

/// Nodes that so many ranks fill, one after another.
std::int64_t nodes_filled(std::int64_t num_ranks, const Hardware& hardware);

/// All nodes that the scenario's job has, in the order in which ranks fill them: job_nodes, or those of the
/// hardware that have not failed. Errors (kBadInput): those of Cluster::build; one of job_nodes has failed;
/// too few are left for the scenario's GPUs.
Result<NodeList> nodes_of_job(const Scenario& scenario);

/// The scenario's hardware with devices numbered along the job's nodes: rank r is on device r. With a
/// strategy, along its node_order where it has one. Errors (kBadInput): those of nodes_of_job; a node of the
/// order has failed.
Result<Cluster> job_cluster(const Scenario& scenario);
Result<Cluster> job_cluster(const Scenario& scenario, const Strategy& strategy);

}  // namespace portolan
