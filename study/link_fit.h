#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "study/fit_error.h"
#include "study/measured_collective.h"
#include "topology/hardware.h"

namespace portolan {

/// A constant of links or of steps of rings.
struct LinkConstant {
  std::string figure;         ///< its key in the hardware file: "nvlink.efficiency", "collective_base"
  double before = 0;          ///< share, or s
  double value = 0;           ///< the same as before where no row tells of it
  std::int64_t num_rows = 0;  ///< that tell of it: at least a quarter of their time follows from it
  bool is_set = false;
  bool is_at_limit = false;  ///< an efficiency of 1: measured faster than the link's bandwidth allows

  bool operator==(const LinkConstant&) const = default;
};

/// How well the fit predicts one measured collective.
struct CollectiveFitError {
  CollectiveKind kind = CollectiveKind::kAllReduce;
  std::int64_t num_ranks = 0;
  std::int64_t num_nodes = 0;
  std::int64_t num_rows = 0;
  FitError fitted;
  FitError held_back;  ///< rows of each size, predicted from a fit to those of the others
};

struct LinkFit {
  std::vector<LinkConstant> constants;  ///< of the links that rows cross: three, two or five
  std::vector<CollectiveFitError> collectives;
  /// Of hardware with one node, of collectives measured with each number of ranks that divides the node's:
  /// their times say more than any constant. The mean where a size was measured several times.
  std::vector<CollectivePoint> points;
  std::int64_t num_rows = 0;
  std::int64_t num_fitted = 0;  ///< rows that the constants are fitted to; the others are predicted with them
  FitError fitted;
  FitError held_back;
};

/// Fits efficiencies of links and costs of a ring's steps by the simulator's own formulas
/// (plan/collectives/collective_flows.h, rings), so that the mean of |log(predicted / measured)| is least
/// (NLopt, SBPLX): of NVLink, collective_base and intra_node_step to collectives within one node, then of
/// network cards and inter_node_step to those between nodes; all other figures of `hardware` stay. A constant
/// of which rows of fewer than two sizes tell stays as it is, and so does intra_node_step where all sums
/// within nodes take equally many: they cannot be told from the base then. Errors (kBadInput): no rows; none
/// tells of any. Precondition: members are devices of `hardware`, in which find_problem() finds none.
Result<LinkFit> fit_links(const std::vector<MeasuredCollective>& collectives, const Hardware& hardware);

/// Writes what was fitted into `hardware`; `source`: of each constant. Points of collectives that were
/// measured anew are replaced.
void set_links(const LinkFit& fit, const std::string& source, Hardware& hardware);

}  // namespace portolan
