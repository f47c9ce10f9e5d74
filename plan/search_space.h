#pragma once

#include <cstdint>
#include <vector>

#include "plan/scenario.h"
#include "plan/strategy.h"

namespace portolan {

/// How far the fields are varied that nobody fixed.
enum class SpaceBreadth : std::uint8_t {
  /// Those that a framework leaves alone unless it is asked stay as they are: no context parallelism,
  /// sharding groups or offload, nothing recomputed by a solver or layer by layer, gradients summed by
  /// rings as the software sums them. What completes a strategy of which a person named some fields.
  kUsual,
  kWhole,  ///< every field takes every value that docs/search.md lists
};

/// The candidates of a search as a tree: branches (who computes what), pipelines (in which order), what is
/// recomputed, who keeps which states (shardings), how gradients are summed. Every combination is a
/// candidate, legal or not; none comes twice.
class SearchSpace {
 public:
  struct Pipeline {
    ScheduleKind schedule = ScheduleKind::kOneFOneB;
    std::int32_t virtual_stages = 1;
    std::vector<RecomputeChoice> recomputes;
  };
  struct Sharding {
    std::int32_t zero_stage = 0;
    std::int32_t zero_group = 0;
    Offload offload = Offload::kNone;
    Compression compression;
    std::vector<GradientAggregation> aggregations;  ///< one or more
  };
  /// All strategies with the same degrees, axis order, microbatch and sequence parallelism.
  struct Branch {
    Strategy stem;
    std::vector<Pipeline> pipelines;
    std::vector<Sharding> shardings;

    std::int64_t num_endings() const;  ///< shardings with their aggregations
    std::int64_t num_strategies() const;
  };

  /// `scenario` must outlive it.
  SearchSpace(const Scenario& scenario, const StrategyConstraints& constraints, SpaceBreadth breadth);

  std::size_t num_branches() const { return stems_.size(); }
  const Strategy& stem(std::size_t branch) const { return stems_[branch]; }
  Branch branch(std::size_t index) const;
  std::int64_t num_strategies() const;

  /// A stem with a pipeline's order and what it recomputes; the rule of a choice is applied to the layers of
  /// its stages, where these are legal.
  Strategy strategy(const Branch& branch, const Pipeline& pipeline, const RecomputeChoice& recompute) const;
  static void put(const Sharding& sharding, const GradientAggregation& aggregation, Strategy& strategy);

 private:
  std::vector<Pipeline> pipelines(const Strategy& stem) const;
  std::vector<RecomputeChoice> recomputes(Strategy stem, const Pipeline& pipeline) const;
  std::vector<Sharding> shardings(const Strategy& stem) const;
  std::vector<Compression> compressions(const Strategy& sharded) const;
  std::vector<GradientAggregation> aggregations(const Strategy& sharded,
                                                const Compression& compression) const;

  const Scenario* scenario_;
  StrategyConstraints fixed_;
  SpaceBreadth breadth_;
  std::vector<Strategy> stems_;
};

/// Every strategy of the usual breadth, in the order of the tree.
std::vector<Strategy> enumerate_strategies(const Scenario& scenario, const StrategyConstraints& constraints);

}  // namespace portolan
