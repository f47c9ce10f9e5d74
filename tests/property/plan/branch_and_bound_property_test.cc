#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>

#include "plan/branch_and_bound.h"
#include "plan/closed_form.h"
#include "plan/search_space.h"
#include "plan/space_explorer.h"
#include "plan/verdict.h"
#include "sample_scenarios.h"
#include "small_programs.h"
#include "tests/property/thinned.h"

namespace portolan {
namespace {

using Counts = std::array<std::int64_t, kNumRejectReasons>;

/// Every strategy of the space, one after another.
struct BruteForce {
  std::vector<Contender> best;
  std::int64_t num_fitting = 0;
  std::int64_t num_illegal = 0;
  std::int64_t num_all = 0;
};

BruteForce try_all(const Scenario& scenario, const Cluster& cluster, const SearchSpace& space,
                   const Shortlist& wanted) {
  ClosedForm closed_form(scenario, cluster);
  BruteForce found;
  std::vector<Contender> families;
  for (std::size_t b = 0; b < space.num_branches(); ++b) {
    const SearchSpace::Branch branch = space.branch(b);
    for (const SearchSpace::Pipeline& pipeline : branch.pipelines) {
      for (const RecomputeChoice& recompute : pipeline.recomputes) {
        std::map<std::tuple<std::int32_t, Offload, std::string>, std::size_t> places;
        for (const SearchSpace::Sharding& sharding : branch.shardings) {
          for (const GradientAggregation& sums : sharding.aggregations) {
            ++found.num_all;
            Strategy s = space.strategy(branch, pipeline, recompute);
            SearchSpace::put(sharding, sharding.aggregations.front(), s);
            Strategy own = s;
            SearchSpace::put(sharding, sums, own);
            if (find_rejection(scenario, own)) {
              ++found.num_illegal;
              continue;
            }
            if (s.recompute.is_open()) {
              own.recompute = closed_form.optimal_recompute(s, kSearchTolerance);
            }
            const Estimate estimate = closed_form.evaluate(own);
            if (find_memory_rejection(scenario, estimate)) {
              continue;
            }
            ++found.num_fitting;
            const Contender contender{own, objective_value(scenario.objective, estimate)};
            const auto [place, is_new] = places.emplace(
                std::tuple(sharding.zero_stage, sharding.offload, compression_name(sharding.compression)),
                families.size());
            if (is_new) {
              families.push_back(contender);
            } else if (contender.value < families[place->second].value) {
              families[place->second] = contender;
            }
          }
        }
      }
    }
  }
  std::stable_sort(families.begin(), families.end(),
                   [](const Contender& one, const Contender& other) { return one.value < other.value; });
  for (const Contender& contender : families) {
    const bool near = contender.value <= families.front().value * (1 + wanted.tolerance);
    // Ties with the last of the fewest are among them.
    const bool few =
        found.best.size() < wanted.fewest || contender.value <= families[wanted.fewest - 1].value;
    if (found.best.size() < wanted.most && (few || near)) {
      found.best.push_back(contender);
    }
  }
  return found;
}

void expect_equal(const Scenario& scenario, const StrategyConstraints& constraints, const Shortlist& wanted) {
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const SearchSpace space(scenario, constraints, SpaceBreadth::kWhole);
  ASSERT_LE(space.num_strategies(), 400'000);
  const BruteForce all = try_all(scenario, cluster, space, wanted);
  // Tasks from the last to the first.
  const TaskRunner backwards = [](int num_tasks, const std::function<std::string(int)>& task) {
    std::vector<std::string> answers(static_cast<std::size_t>(num_tasks));
    for (int i = num_tasks - 1; i >= 0; --i) {
      answers[static_cast<std::size_t>(i)] = task(i);
    }
    return Result<std::vector<std::string>>(answers);
  };
  const BoundedSearch bounded =
      branch_and_bound(scenario, cluster, space, wanted, Bytes(0), run_here).value();
  ASSERT_EQ(bounded.best.size(), all.best.size());
  for (std::size_t i = 0; i < all.best.size(); ++i) {
    EXPECT_EQ(bounded.best[i].value, all.best[i].value) << i;
    EXPECT_EQ(bounded.best[i].strategy, all.best[i].strategy)
        << i << ": " << short_name(bounded.best[i].strategy) << " | " << short_name(all.best[i].strategy);
  }
  EXPECT_EQ(bounded.num_enumerated, all.num_all);
  EXPECT_EQ(space.num_strategies(), all.num_all);
  EXPECT_EQ(std::accumulate(bounded.num_rejected.begin(), bounded.num_rejected.end(), std::int64_t{0}) +
                std::ssize(bounded.best),
            all.num_all);
  EXPECT_LE(
      bounded.num_rejected[static_cast<std::size_t>(RejectReason::kDominated)] + std::ssize(bounded.best),
      all.num_fitting);
  const BoundedSearch again = branch_and_bound(scenario, cluster, space, wanted, Bytes(0), backwards).value();
  EXPECT_EQ(again.best, bounded.best);
  EXPECT_EQ(again.num_rejected, bounded.num_rejected);
}

/// All GPUs of small_scenarios, with what makes fields vary: every schedule, ZeRO stage, copies to the host.
Scenario searched(Scenario scenario) {
  scenario.software.sequence_parallel.value = true;
  scenario.software.interleaved_schedule.value = true;
  scenario.software.zero_bubble_schedule.value = true;
  scenario.software.zero_stages.value = 3;
  for (Sourced<bool> SoftwareProfile::*ability :
       {&SoftwareProfile::sharding_groups, &SoftwareProfile::context_parallel,
        &SoftwareProfile::operator_recompute, &SoftwareProfile::activation_offload,
        &SoftwareProfile::optimizer_offload, &SoftwareProfile::tree_sums,
        &SoftwareProfile::hierarchical_sums}) {
    (scenario.software.*ability).value = true;
  }
  scenario.hardware = with_pcie(scenario.hardware);
  return scenario;
}

/// Enough for all, for half of what the largest needs, for hardly any.
std::vector<Bytes> memories(const Scenario& scenario) {
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  ClosedForm closed_form(scenario, cluster);
  Bytes least(std::numeric_limits<std::int64_t>::max()), most;
  for (const Strategy& strategy : enumerate_strategies(scenario, {})) {
    if (!find_rejection(scenario, strategy)) {
      const Bytes memory = closed_form.outcome(strategy).peak_memory;
      least = std::min(least, memory);
      most = std::max(most, memory);
    }
  }
  return {most * 2, (least + most) / 2, least + (most - least) / 20, least};
}

TEST(BranchAndBound, EqualsBruteForce) {
  std::size_t place = 0;
  for (Scenario scenario : thinned(small_scenarios())) {
    scenario = searched(scenario);
    if (scenario.num_gpus > 4) {
      continue;
    }
    const std::vector<Bytes> budgets = memories(scenario);
    scenario.hardware.device.memory.value = budgets[place % budgets.size()];
    const std::array<Shortlist, 3> lists = {
        Shortlist{}, {.fewest = 1, .most = 1, .tolerance = 0}, {.fewest = 5, .most = 40, .tolerance = 0.5}};
    StrategyConstraints fixed;
    fixed.microbatch_size = place % 2 == 0 ? 1 : 2;
    scenario.lossy_gradients = place % 3 == 0;
    SCOPED_TRACE(place);
    expect_equal(scenario, fixed, lists[place % lists.size()]);
    ++place;
  }
  EXPECT_GT(place, 3U);
}

TEST(BranchAndBound, EqualsBruteForceForEveryObjective) {
  for (const Objective objective :
       thinned(std::vector{Objective::kEnergy, Objective::kMemory, Objective::kTime, Objective::kCost})) {
    Scenario scenario = searched(tiny_scenario(8));
    scenario.objective = objective;
    scenario.hardware.device.power_busy.value = Watts(400);
    scenario.hardware.device.power_idle.value = Watts(100);
    scenario.hardware.price_per_gpu_hour.value = 2;
    scenario.hardware.device.memory.value = memories(scenario)[1];
    StrategyConstraints fixed;
    fixed.microbatch_size = 1;
    fixed.tensor_parallel = 2;
    fixed.pipeline_parallel = 2;
    SCOPED_TRACE(static_cast<int>(objective));
    expect_equal(scenario, fixed, {});
  }
}

/// Each of a space's strategies, one after another.
void expect_no_bound_above(const Scenario& scenario, const StrategyConstraints& constraints) {
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  ClosedForm closed_form(scenario, cluster);
  const SearchSpace space(scenario, constraints, SpaceBreadth::kWhole);
  for (std::size_t b = 0; b < space.num_branches(); ++b) {
    const SearchSpace::Branch branch = space.branch(b);
    for (const SearchSpace::Pipeline& pipeline : branch.pipelines) {
      for (const RecomputeChoice& recompute : pipeline.recomputes) {
        const Strategy whole = space.strategy(branch, pipeline, recompute);
        const bool open = whole.recompute.is_open();
        for (const SearchSpace::Sharding& sharding : branch.shardings) {
          Strategy common = whole;
          common.zero_stage = sharding.zero_stage;
          common.offload = offloads_activations(sharding.offload) ? Offload::kActivations : Offload::kNone;
          common.recompute = open ? Recompute{} : whole.recompute;
          if (find_rejection(scenario, common)) {
            continue;
          }
          const ClosedForm::Body body = closed_form.body(common);
          for (const GradientAggregation& sums : sharding.aggregations) {
            Strategy own = whole;
            SearchSpace::put(sharding, sums, own);
            if (find_rejection(scenario, own)) {
              continue;
            }
            SCOPED_TRACE(short_name(own));
            const Strategy asked = own;
            if (open) {
              own.recompute = closed_form.optimal_recompute(asked, kSearchTolerance);
            }
            const ClosedForm::Outcome outcome = closed_form.outcome(own);
            ASSERT_LE(body.step_time(), outcome.step_time * (1 + 1e-12));
            ASSERT_LE(closed_form.least_time(asked, body), outcome.step_time);
            if (!open) {
              ASSERT_LE(body.own_step_time(), outcome.step_time * (1 + 1e-12));
              ASSERT_LE(closed_form.least_memory(own, body), outcome.peak_memory);
              if (own.recompute.layers_per_group > 1) {
                Strategy single = common;
                single.recompute.layers_per_group = 1;
                ASSERT_LE(closed_form.least_memory_of_groups(own, closed_form.body(single)),
                          outcome.peak_memory);
              }
            } else if (outcome.peak_memory <= scenario.hardware.device.memory.value) {
              ASSERT_LE(closed_form.least_time_that_fits(asked, body), outcome.step_time);
            }
          }
        }
      }
    }
  }
}

TEST(BranchAndBound, NoBoundIsAboveWhatItBounds) {
  std::size_t place = 0;
  for (Scenario scenario : thinned(small_scenarios())) {
    scenario = searched(scenario);
    const std::vector<Bytes> budgets = memories(scenario);
    scenario.hardware.device.memory.value = budgets[++place % budgets.size()];
    scenario.lossy_gradients = place % 3 == 0;
    StrategyConstraints fixed;
    fixed.microbatch_size = 1;
    if (scenario.num_gpus > 4) {
      fixed.tensor_parallel = place % 2 == 0 ? 2 : 1;
    }
    SCOPED_TRACE(place);
    expect_no_bound_above(scenario, fixed);
  }
}

TEST(BranchAndBound, LeavesMostOfALargeSpaceOut) {
  const Scenario scenario = searched(tiny_scenario(8));
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  StrategyConstraints fixed;
  fixed.microbatch_size = 1;
  const SearchSpace space(scenario, fixed, SpaceBreadth::kWhole);
  const BoundedSearch bounded = branch_and_bound(scenario, cluster, space, {}, Bytes(0), run_here).value();
  EXPECT_EQ(bounded.num_enumerated, space.num_strategies());
  EXPECT_LT(bounded.num_evaluated * 5, bounded.num_enumerated);
}

}  // namespace
}  // namespace portolan
