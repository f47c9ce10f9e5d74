#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <tuple>
#include <vector>

#include "plan/closed_form.h"
#include "plan/legality.h"
#include "plan/scenario.h"
#include "plan/search_space.h"
#include "plan/shortlist.h"
#include "topology/cluster.h"

namespace portolan {

/// How much more than the least a stage recomputes where a search leaves it to a solver, at most: a
/// thousandth of a step where a fifth of it is recomputed.
inline constexpr double kSearchTolerance = 0.005;

/// A pipeline of a branch: all its strategies whose recomputation is left to a solver, or all others.
struct SpaceNode {
  double bound = 0;  ///< of the objective
  std::uint32_t branch = 0;
  std::uint32_t pipeline = 0;
  bool open = false;

  bool operator<(const SpaceNode& other) const {
    return std::tie(bound, branch, pipeline) < std::tie(other.bound, other.branch, other.pipeline);
  }
};
/// Choices of recomputation of a node.
std::int64_t count_choices(const SearchSpace::Pipeline& pipeline, bool open);

/// What became of strategies.
struct NodeOutcome {
  std::array<std::int64_t, kNumRejectReasons> num_rejected{};
  std::int64_t num_evaluated = 0;
  std::int64_t num_fitting = 0;
  Bytes least_too_large{std::numeric_limits<std::int64_t>::max()};
  SpacePlace closest;  ///< of those that do not fit

  std::int64_t& rejected(RejectReason reason) { return num_rejected[static_cast<std::size_t>(reason)]; }
  void add(const NodeOutcome& other);
  /// `count` strategies that do not fit: the one at `place` needs so much, the others no less.
  void note_too_large(Bytes memory, const SpacePlace& place, std::int64_t count);
};

/// Looks at parts of a search space by the closed form, and leaves out what a bound or its size rules out.
class SpaceExplorer {
 public:
  /// Of each device's memory `spare` is left free. What is given must outlive it.
  SpaceExplorer(const Scenario& scenario, const Cluster& cluster, const SearchSpace& space,
                const Shortlist& wanted, Bytes spare);

  /// Appends the nodes of a branch that are legal, and a quick completion of each pipeline that has one.
  void bound(std::size_t branch, std::vector<SpaceNode>& nodes, std::vector<RankedPlace>& quick,
             NodeOutcome& outcome);
  /// The best of some nodes, those aside of which a bound says that they are above `limit`: one of each
  /// family (strategies that differ only in zero_group and in how gradients are summed).
  std::vector<RankedPlace> explore(const std::vector<SpaceNode>& nodes, double limit, NodeOutcome& outcome);

  /// The strategy at `place`, recomputation chosen.
  Strategy strategy(const SpacePlace& place);
  /// Why it does not fit, if it does not.
  std::optional<Rejection> memory_rejection(const Strategy& strategy);

 private:
  /// Strategies that share a body: what ranks share, and whether activations go to the host.
  struct Class {
    std::int32_t zero_stage = 0;
    bool offloads = false;

    bool operator==(const Class&) const = default;
    void put(Strategy& s) const;
  };
  /// Of one class: the body that says what is above the limit, and that of the strategies themselves.
  struct Bodies {
    Class kind;
    ClosedForm::Body bounding;
    std::optional<ClosedForm::Body> own;
  };
  /// A part of a branch's shardings.
  struct Family {
    std::int32_t zero_stage = 0;
    Offload offload = Offload::kNone;
    Compression compression;
    std::vector<std::size_t> shardings;
    std::int64_t num_endings = 0;
  };
  struct Value {
    double objective = 0;
    Bytes memory;
    bool fits = false;
  };
  static std::vector<Class> classes_of(const SearchSpace::Branch& branch);
  static std::vector<Family> families_of(const SearchSpace::Branch& branch);
  Bodies& bodies_of(const Class& kind, const Strategy& closed, std::vector<Bodies>& bodies);
  /// The objective is no less.
  double value_bound(const ClosedForm::Body& body) const;
  double value_bound(Seconds step_time, Seconds computes) const;
  Value evaluate(const Strategy& strategy);
  /// The first of some plain completions that fits.
  std::optional<RankedPlace> complete_quickly(const SearchSpace::Branch& branch, const SpaceNode& node);
  /// All endings of one choice of recomputation.
  void explore(const SearchSpace::Branch& branch, SpacePlace place, BestPlaces& best, NodeOutcome& outcome);
  /// All sums of gradients for one sharding.
  void explore(const SearchSpace::Sharding& sharding, Strategy strategy, const ClosedForm::Body& body,
               SpacePlace place, double limit, std::optional<RankedPlace>& best, NodeOutcome& outcome);

  const Scenario& scenario_;
  const SearchSpace& space_;
  Shortlist wanted_;
  Bytes spare_, there_;  ///< of each device's memory: left free, and there to be used
  ClosedForm closed_form_;
  double limit_ = std::numeric_limits<double>::infinity();
};

}  // namespace portolan
