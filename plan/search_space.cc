#include "plan/search_space.h"

#include <algorithm>
#include <numeric>

#include "plan/legality.h"
#include "plan/search_stems.h"

namespace portolan {

namespace {

/// Sizes of buckets that are tried beside the software's own.
constexpr std::array<std::int64_t, 3> kBuckets = {25 * kMebi, 100 * kMebi, 400 * kMebi};
/// Of the compressions that take a number.
constexpr double kTopShare = 0.01;
constexpr std::int32_t kFactorRank = 4;

Recompute everywhere(const RecomputeSet& set) { return {.all_layers = set, .per_layer = {}}; }

/// Virtual stages of a stage into which its layers divide evenly, or those that a list of layers asks for.
std::vector<std::int32_t> virtual_stages_of(const Scenario& scenario, const Strategy& s) {
  std::vector<std::int32_t> list;
  if (!s.layers_per_stage.empty()) {
    const auto parts = static_cast<std::int32_t>(s.layers_per_stage.size());
    if (s.pipeline_parallel > 0 && parts % s.pipeline_parallel == 0 && parts > s.pipeline_parallel) {
      list.push_back(parts / s.pipeline_parallel);
    }
    return list;
  }
  if (s.pipeline_parallel > 0 && scenario.model.num_layers % s.pipeline_parallel == 0) {
    list = divisors(scenario.model.num_layers / s.pipeline_parallel);
    list.erase(list.begin());
  }
  return list;
}

}  // namespace

std::int64_t SearchSpace::Branch::num_endings() const {
  std::int64_t count = 0;
  for (const Sharding& sharding : shardings) {
    count += std::ssize(sharding.aggregations);
  }
  return count;
}

std::int64_t SearchSpace::Branch::num_strategies() const {
  std::int64_t bodies = 0;
  for (const Pipeline& pipeline : pipelines) {
    bodies += std::ssize(pipeline.recomputes);
  }
  return bodies * num_endings();
}

SearchSpace::SearchSpace(const Scenario& scenario, const StrategyConstraints& constraints,
                         SpaceBreadth breadth)
    : scenario_(&scenario),
      fixed_(constraints),
      breadth_(breadth),
      stems_(search_stems(scenario, constraints, breadth)) {}

SearchSpace::Branch SearchSpace::branch(std::size_t index) const {
  const Strategy& stem = stems_[index];
  return {.stem = stem, .pipelines = pipelines(stem), .shardings = shardings(stem)};
}

std::int64_t SearchSpace::num_strategies() const {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < num_branches(); ++i) {
    count += branch(i).num_strategies();
  }
  return count;
}

Strategy SearchSpace::strategy(const Branch& branch, const Pipeline& pipeline,
                               const RecomputeChoice& recompute) const {
  Strategy s = branch.stem;
  s.schedule = pipeline.schedule;
  s.virtual_stages = pipeline.virtual_stages;
  const std::int64_t num_layers = scenario_->model.num_layers;
  s.recompute = recompute_of(recompute, find_layers_of_stages(num_layers, s).value_or(std::vector<int>{}));
  return s;
}

void SearchSpace::put(const Sharding& sharding, const GradientAggregation& aggregation, Strategy& strategy) {
  strategy.zero_stage = sharding.zero_stage;
  strategy.zero_group = sharding.zero_group;
  strategy.offload = sharding.offload;
  strategy.gradient_aggregation = aggregation;
}

/// Schedules that the software has, or the one that is asked for.
std::vector<SearchSpace::Pipeline> SearchSpace::pipelines(const Strategy& stem) const {
  const SoftwareProfile& software = scenario_->software;
  const bool divides = stem.pipeline_parallel > 1;
  std::vector<Pipeline> list;
  const auto add = [&](ScheduleKind schedule, std::int32_t virtual_stages) {
    Pipeline pipeline{.schedule = schedule, .virtual_stages = virtual_stages, .recomputes = {}};
    pipeline.recomputes = recomputes(stem, pipeline);
    list.push_back(std::move(pipeline));
  };
  const auto wanted = [&](ScheduleKind schedule, bool there) {
    return fixed_.schedule ? *fixed_.schedule == schedule : there;
  };
  const std::int32_t asked_chunks = fixed_.virtual_stages.value_or(1);
  if (asked_chunks == 1 || fixed_.schedule) {
    if (wanted(ScheduleKind::kOneFOneB, true)) {
      add(ScheduleKind::kOneFOneB, asked_chunks);
    }
    if (wanted(ScheduleKind::kGPipe, divides)) {
      add(ScheduleKind::kGPipe, asked_chunks);
    }
    if (wanted(ScheduleKind::kZeroBubbleH1, divides && software.zero_bubble_schedule.value)) {
      add(ScheduleKind::kZeroBubbleH1, asked_chunks);
    }
  }
  const bool interleaves = divides && (asked_chunks > 1 || software.interleaved_schedule.value);
  if (!wanted(ScheduleKind::kInterleaved, interleaves) || (fixed_.virtual_stages == 1 && !fixed_.schedule)) {
    return list;
  }
  std::vector<std::int32_t> chunks = fixed_.virtual_stages ? std::vector<std::int32_t>{*fixed_.virtual_stages}
                                                           : virtual_stages_of(*scenario_, stem);
  if (chunks.empty() && fixed_.schedule) {
    chunks.push_back(2);  // for a verdict on what was asked
  }
  for (const std::int32_t v : chunks) {
    add(ScheduleKind::kInterleaved, v);
  }
  return list;
}

std::vector<RecomputeChoice> SearchSpace::recomputes(Strategy stem, const Pipeline& pipeline) const {
  if (fixed_.recompute) {
    return {*fixed_.recompute};
  }
  std::vector<RecomputeChoice> list = {everywhere(recompute_none()), everywhere(recompute_selective()),
                                       everywhere(recompute_full())};
  if (breadth_ == SpaceBreadth::kUsual) {
    return list;
  }
  stem.schedule = pipeline.schedule;
  stem.virtual_stages = pipeline.virtual_stages;
  const auto layers = find_layers_of_stages(scenario_->model.num_layers, stem);
  const std::int32_t most =
      layers && !layers->empty() ? *std::max_element(layers->begin(), layers->end()) : 1;
  for (std::int32_t n = 1; n < most; ++n) {
    list.emplace_back(RecomputeBlock{.num_layers = n});
  }
  for (std::int32_t n = 2; n <= most; ++n) {
    list.emplace_back(Recompute{.all_layers = recompute_full(), .per_layer = {}, .layers_per_group = n});
  }
  if (scenario_->software.operator_recompute.value) {
    list.emplace_back(
        Recompute{.all_layers = {}, .per_layer = {}, .layers_per_group = 1, .optimal = RecomputeOptimal{}});
  }
  return list;
}

std::vector<SearchSpace::Sharding> SearchSpace::shardings(const Strategy& stem) const {
  const SoftwareProfile& software = scenario_->software;
  const bool whole = breadth_ == SpaceBreadth::kWhole;
  const std::int32_t ranks = num_data_ranks(stem);
  std::vector<Offload> offloads = {fixed_.offload.value_or(Offload::kNone)};
  if (whole && !fixed_.offload && scenario_->hardware.pcie) {
    const bool activations = software.activation_offload.value, states = software.optimizer_offload.value;
    for (const auto& [offload, has] :
         {std::pair(Offload::kActivations, activations), std::pair(Offload::kOptimizer, states),
          std::pair(Offload::kActivationsAndOptimizer, activations && states)}) {
      if (has) {
        offloads.push_back(offload);
      }
    }
  }
  std::vector<std::int32_t> stages = {fixed_.zero_stage.value_or(0)};
  if (!fixed_.zero_stage && ranks > 1) {
    stages.resize(static_cast<std::size_t>(software.zero_stages.value) + 1);
    std::iota(stages.begin(), stages.end(), 0);
  }
  std::vector<Sharding> list;
  for (const std::int32_t stage : stages) {
    std::vector<std::int32_t> groups = {fixed_.zero_group.value_or(0)};
    if (whole && software.sharding_groups.value && stage > 0 && !fixed_.zero_group &&
        stem.expert_parallel == 1) {
      for (const std::int32_t part : divisors(ranks)) {
        if (part > 1 && part < ranks) {
          groups.push_back(part);
        }
      }
    }
    for (const std::int32_t group : groups) {
      Strategy sharded = stem;
      sharded.zero_stage = stage;
      sharded.zero_group = group;
      // Of what ZeRO reduces and scatters there are no trees.
      if (!fixed_.zero_stage && fixed_.aggregation == CollectiveAlgorithm::kTree && stage > 0 &&
          !has_all_reduces(sharded)) {
        continue;
      }
      for (const Compression& compression : compressions(sharded)) {
        const std::vector<GradientAggregation> sums = aggregations(sharded, compression);
        for (const Offload offload : offloads) {
          list.push_back({.zero_stage = stage,
                          .zero_group = group,
                          .offload = offload,
                          .compression = compression,
                          .aggregations = sums});
        }
      }
    }
  }
  return list;
}

/// Each kind once, where gradients may lose something.
std::vector<Compression> SearchSpace::compressions(const Strategy& sharded) const {
  std::vector<Compression> list = {fixed_.compression.value_or(Compression{})};
  if (breadth_ == SpaceBreadth::kUsual || fixed_.compression || !scenario_->lossy_gradients ||
      num_data_ranks(sharded) == 1 || sharded.zero_stage >= 2) {
    return list;
  }
  if (gradient_width(scenario_->software, sharded.precision) > 2) {
    list.push_back({.kind = CompressionKind::kBf16});
  }
  for (const CompressionKind kind : {CompressionKind::kFp8, CompressionKind::kInt8, CompressionKind::kInt4}) {
    list.push_back({.kind = kind});
  }
  if (sharded.zero_stage == 0) {
    list.push_back({.kind = CompressionKind::kTopK, .share = kTopShare});
    list.push_back({.kind = CompressionKind::kPowerSgd, .rank = kFactorRank});
  }
  return list;
}

std::vector<GradientAggregation> SearchSpace::aggregations(const Strategy& sharded,
                                                           const Compression& compression) const {
  const SoftwareProfile& software = scenario_->software;
  const bool whole = breadth_ == SpaceBreadth::kWhole;
  std::vector<CollectiveAlgorithm> algorithms = {fixed_.aggregation.value_or(CollectiveAlgorithm::kRing)};
  if (whole && !fixed_.aggregation && num_data_ranks(sharded) > 1) {
    if (software.hierarchical_sums.value) {
      algorithms.push_back(CollectiveAlgorithm::kHierarchical);
    }
    if (software.tree_sums.value && has_all_reduces(sharded)) {
      algorithms.push_back(CollectiveAlgorithm::kTree);
    }
  }
  // Who asks for buckets wants them to overlap; compressed sums come after the passes.
  const bool overlaps = software.gradient_overlap.value && compression.is_none();
  const bool overlap = fixed_.overlap.value_or(fixed_.bucket ? fixed_.bucket->value > 0 : overlaps);
  const Bytes bucket = fixed_.bucket.value_or(overlap ? software.gradient_bucket.value : Bytes(0));
  Strategy beside = sharded;
  beside.gradient_aggregation.overlap = true;
  std::vector<GradientAggregation> list;
  const auto add = [&](CollectiveAlgorithm algorithm, bool beside_backward, Bytes size) {
    list.push_back(
        {.algorithm = algorithm, .bucket = size, .overlap = beside_backward, .compression = compression});
  };
  for (const CollectiveAlgorithm algorithm : algorithms) {
    // Where the software sums gradients beside backward, it does so where there is something to sum then.
    if (fixed_.overlap || fixed_.bucket || !overlap || !sums_beside_backward(beside)) {
      const bool asked = fixed_.overlap || fixed_.bucket;
      add(algorithm, asked && overlap, asked ? bucket : Bytes(0));
      continue;
    }
    add(algorithm, true, bucket);
    if (whole) {
      add(algorithm, false, Bytes(0));
      for (const std::int64_t size : kBuckets) {
        if (size != bucket.value) {
          add(algorithm, true, Bytes(size));
        }
      }
    }
  }
  return list;
}

std::vector<Strategy> enumerate_strategies(const Scenario& scenario, const StrategyConstraints& constraints) {
  const SearchSpace space(scenario, constraints, SpaceBreadth::kUsual);
  std::vector<Strategy> list;
  for (std::size_t i = 0; i < space.num_branches(); ++i) {
    const SearchSpace::Branch branch = space.branch(i);
    for (const SearchSpace::Pipeline& pipeline : branch.pipelines) {
      for (const RecomputeChoice& recompute : pipeline.recomputes) {
        const Strategy body = space.strategy(branch, pipeline, recompute);
        for (const SearchSpace::Sharding& sharding : branch.shardings) {
          for (const GradientAggregation& aggregation : sharding.aggregations) {
            SearchSpace::put(sharding, aggregation, list.emplace_back(body));
          }
        }
      }
    }
  }
  return list;
}

}  // namespace portolan
