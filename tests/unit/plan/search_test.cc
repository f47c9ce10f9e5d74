#include "plan/search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "plain_runner.h"
#include "plan/closed_form.h"
#include "plan/lower.h"
#include "plan/simulate.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

/// Answers by the closed form, and by a run without contention above it.
Evaluator plain_evaluator(const Scenario& scenario, const Cluster& cluster) {
  return [&scenario, &cluster](std::span<const Strategy> strategies, Fidelity fidelity) {
    ClosedForm closed_form(scenario, cluster);
    std::vector<Result<Estimate>> results;
    for (const Strategy& strategy : strategies) {
      if (fidelity == Fidelity::kClosedForm) {
        results.emplace_back(closed_form.evaluate(strategy));
        continue;
      }
      const Program program = lower(scenario, strategy);
      results.emplace_back(
          simulate_program({scenario, strategy, program, cluster, fidelity, false}, run_without_contention)
              ->estimate);
    }
    return results;
  };
}

Result<SearchResult> plain_search(const Scenario& scenario, const StrategyConstraints& constraints,
                                  const SearchOptions& options = {}) {
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  return search(scenario, constraints, {.cluster = cluster, .evaluator = plain_evaluator(scenario, cluster)},
                options);
}

/// Fields as a framework leaves them, all of the best simulated, none in full.
constexpr SearchOptions kUsual{.breadth = SpaceBreadth::kUsual, .num_full = 0};

std::int64_t num_rejected(const SearchResult& result) {
  return std::accumulate(result.num_rejected.begin(), result.num_rejected.end(), std::int64_t{0});
}

TEST(Search, RanksByTheObjectiveAndCountsEveryCandidate) {
  for (const Objective objective :
       {Objective::kTime, Objective::kMemory, Objective::kEnergy, Objective::kCost}) {
    Scenario scenario = tiny_scenario(8);
    scenario.objective = objective;
    scenario.hardware.device.power_busy.value = Watts(400);
    scenario.hardware.device.power_idle.value = Watts(100);
    scenario.hardware.price_per_gpu_hour.value = 2;
    const auto result = plain_search(scenario, {}, kUsual);
    ASSERT_TRUE(result);
    EXPECT_GE(result->ranking.size(), 16U);
    EXPECT_TRUE(std::is_sorted(result->ranking.begin(), result->ranking.end(),
                               [&](const Estimate& a, const Estimate& b) {
                                 return objective_value(objective, a) < objective_value(objective, b);
                               }));
    EXPECT_EQ(result->num_enumerated, num_rejected(*result) + std::ssize(result->ranking));
    EXPECT_EQ(result->num_enumerated, std::ssize(enumerate_strategies(scenario, {})));
    EXPECT_EQ(result->num_simulated, std::ssize(result->ranking));
  }
}

TEST(Search, IsDeterministic) {
  const Scenario scenario = tiny_scenario(8);
  const auto first = plain_search(scenario, {});
  const auto second = plain_search(scenario, {});
  ASSERT_TRUE(first);
  EXPECT_EQ(first->ranking, second->ranking);
  EXPECT_EQ(first->pareto, second->pareto);
}

TEST(Search, ParetoFrontHasNoMemberThatAnotherBeats) {
  const auto result = plain_search(tiny_scenario(8), {});
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->pareto.empty());
  for (const Estimate& member : result->pareto) {
    for (const Estimate& other : result->ranking) {
      const bool beaten = other.step_time <= member.step_time && other.peak_memory <= member.peak_memory &&
                          (other.step_time < member.step_time || other.peak_memory < member.peak_memory);
      EXPECT_FALSE(beaten) << short_name(other.strategy) << " beats " << short_name(member.strategy);
    }
  }
}

TEST(Search, WithoutSimulationRanksByTheClosedForm) {
  const auto result = plain_search(tiny_scenario(4), {},
                                   {.breadth = SpaceBreadth::kUsual, .simulates = false, .num_full = 0});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_GE(result->num_feasible, std::ssize(result->ranking));
  EXPECT_EQ(result->num_simulated, 0);
  EXPECT_EQ(result->ranking.front().program_hash, "");
}

// With a shortlist of many, the best of what `folded` says of all of them comes first.
TEST(Search, SimulatesAsLongAsTheNextOneMayBeTheBest) {
  const Scenario scenario = tiny_scenario(8);
  SearchOptions all = kUsual;
  all.shortlist = {.fewest = 1000, .most = 1000, .tolerance = 0};
  const auto few = plain_search(scenario, {}, kUsual);
  const auto many = plain_search(scenario, {}, all);
  ASSERT_TRUE(few);
  ASSERT_TRUE(many);
  EXPECT_EQ(few->ranking.front(), many->ranking.front());
  EXPECT_LT(many->num_simulated, 1000);
  EXPECT_EQ(many->num_simulated % 16, 0);
  EXPECT_EQ(many->num_enumerated, num_rejected(*many) + std::ssize(many->ranking));
}

TEST(Search, AFailingRungIsAnErrorNotAVerdict) {
  const Scenario scenario = tiny_scenario(2);
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const Evaluator plain = plain_evaluator(scenario, cluster);
  const Evaluator failing = [&](std::span<const Strategy> strategies, Fidelity fidelity) {
    return fidelity == Fidelity::kClosedForm
               ? plain(strategies, fidelity)
               : std::vector<Result<Estimate>>(strategies.size(),
                                               Result<Estimate>(device_error("a worker died")));
  };
  const auto result = search(scenario, {}, {.cluster = cluster, .evaluator = failing}, {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), device_error("a worker died"));
}

// Finalists in full are not compared with one that is too large for it: all stand as folded saw them.
TEST(Search, AFinalistTooLargeForFullLeavesAllAsFoldedSawThem) {
  const Scenario scenario = tiny_scenario(2);
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const Evaluator plain = plain_evaluator(scenario, cluster);
  const Evaluator bounded = [&](std::span<const Strategy> strategies, Fidelity fidelity) {
    std::vector<Result<Estimate>> results = plain(strategies, fidelity);
    if (fidelity == Fidelity::kFull) {
      results.back() = infeasible("fidelity full: 7 transfers (allowed here: 6)");
    }
    return results;
  };
  const auto found = search(scenario, {}, {.cluster = cluster, .evaluator = bounded}, {});
  const auto folded = search(scenario, {}, {.cluster = cluster, .evaluator = plain}, {.num_full = 0});
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->not_in_full, "fidelity full: 7 transfers (allowed here: 6)");
  EXPECT_EQ(found->ranking, folded->ranking);
  EXPECT_EQ(folded->not_in_full, "");
}

// The closed form takes the cluster as if nothing were wrong; what was simulated ranks, and nothing else.
TEST(Search, OnAnImpairedClusterOnlyWhatWasSimulatedInFullRanks) {
  Scenario scenario = tiny_scenario(8);
  scenario.hardware.condition = {{ImpairmentKind::kSlowGpu, "node0.gpu1", 0.5}};
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const Evaluator plain = plain_evaluator(scenario, cluster.healthy());
  double slowdown = 1;
  const Evaluator slowed = [&](std::span<const Strategy> strategies, Fidelity fidelity) {
    EXPECT_NE(fidelity, Fidelity::kFolded);
    std::vector<Result<Estimate>> results = plain(strategies, Fidelity::kClosedForm);
    for (Result<Estimate>& result : results) {
      result->step_time = result->step_time * (fidelity == Fidelity::kFull ? slowdown : 1);
    }
    return results;
  };
  const auto slightly = search(scenario, {}, {.cluster = cluster, .evaluator = slowed}, {});
  ASSERT_TRUE(slightly) << slightly.error().message;
  EXPECT_EQ(slightly->num_simulated, 8);
  EXPECT_EQ(slightly->none_better, true);
  EXPECT_EQ(std::ssize(slightly->ranking), 8);
  slowdown = 100;
  const auto much = search(scenario, {}, {.cluster = cluster, .evaluator = slowed}, {});
  EXPECT_EQ(much->num_simulated, kMostImpaired);
  EXPECT_EQ(much->none_better, false);
  EXPECT_EQ(much->num_enumerated, num_rejected(*much) + std::ssize(much->ranking));
  EXPECT_FALSE(plain_search(tiny_scenario(8), {}, kUsual)->none_better);
  scenario.hardware.condition = {{ImpairmentKind::kFailedNode, "node1"}};
  const Cluster failed = Cluster::build(scenario.hardware).value();
  EXPECT_EQ(search(scenario, {}, {.cluster = failed, .evaluator = slowed}, {}).error().message,
            "node1 has failed: ranks 4 to 7 would be on it (use fewer GPUs, or one that works in its place)");
}

// What the allocator keeps is seen by the simulation alone: the search goes on with less memory.
TEST(Search, WhereNoneOfTheBestFitsLooksForThoseThatNeedLess) {
  Scenario scenario = tiny_scenario(4);
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const Evaluator plain = plain_evaluator(scenario, cluster);
  const auto fitting = plain_search(scenario, {}, kUsual);
  ASSERT_TRUE(fitting);
  const auto largest = std::max_element(
      fitting->ranking.begin(), fitting->ranking.end(),
      [](const Estimate& one, const Estimate& other) { return one.peak_memory < other.peak_memory; });
  scenario.hardware.device.memory.value = largest->peak_memory;
  const Bytes more = scenario.hardware.device.memory.value / 2;
  const Evaluator filling = [&](std::span<const Strategy> strategies, Fidelity fidelity) {
    std::vector<Result<Estimate>> results = plain(strategies, fidelity);
    for (Result<Estimate>& result : results) {
      if (fidelity != Fidelity::kClosedForm) {
        result->peak_memory += more;
        result->stage_memory.front().reserved = result->peak_memory;
      }
    }
    return results;
  };
  const auto found = search(scenario, {}, {.cluster = cluster, .evaluator = filling}, kUsual);
  ASSERT_TRUE(found) << found.error().message;
  for (const Estimate& estimate : found->ranking) {
    EXPECT_LE(estimate.peak_memory, scenario.hardware.device.memory.value);
  }
  EXPECT_EQ(found->num_enumerated, num_rejected(*found) + std::ssize(found->ranking));

  const Evaluator full = [&](std::span<const Strategy> strategies, Fidelity fidelity) {
    std::vector<Result<Estimate>> results = plain(strategies, fidelity);
    for (Result<Estimate>& result : results) {
      if (fidelity != Fidelity::kClosedForm) {
        result->stage_memory.front().reserved = result->peak_memory =
            scenario.hardware.device.memory.value + Bytes(1);
      }
    }
    return results;
  };
  const auto nothing = search(scenario, {}, {.cluster = cluster, .evaluator = full}, kUsual);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().kind, ErrorKind::kInfeasible);
  EXPECT_NE(nothing.error().message.find(" needed, "), std::string::npos) << nothing.error().message;
}

TEST(Search, WhereNothingFitsNamesTheClosest) {
  Scenario scenario = tiny_scenario(2);
  scenario.hardware.device.memory.value = Bytes(200'000);
  const auto nothing = plain_search(scenario, {}, kUsual);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().kind, ErrorKind::kInfeasible);
  // The candidate with the least memory: two tensor shards, the smallest microbatch, all recomputed.
  EXPECT_NE(nothing.error().message.find("tiny: no feasible strategy among"), std::string::npos)
      << nothing.error().message;
  EXPECT_NE(nothing.error().message.find("closest: tp"), std::string::npos) << nothing.error().message;
  EXPECT_NE(nothing.error().message.find(" mb1 "), std::string::npos) << nothing.error().message;
  EXPECT_NE(nothing.error().message.find(" full"), std::string::npos) << nothing.error().message;
  EXPECT_NE(nothing.error().message.find("needed, 195.3 KiB there, stage "), std::string::npos)
      << nothing.error().message;

  StrategyConstraints heads;
  heads.tensor_parallel = 8;
  const auto illegal = plain_search(tiny_scenario(8), heads);
  ASSERT_FALSE(illegal);
  EXPECT_EQ(illegal.error().message, "tiny: 4 attention heads are not divisible by tp 8");
}

TEST(MemoryRejection, SaysWhatIsNeededWhatIsThereAndWhere) {
  Scenario scenario = gpt3_scenario();
  Estimate estimate;
  estimate.stage_memory.resize(3);
  estimate.stage_memory[1].reserved = estimate.peak_memory = Bytes(80 * kGibi);
  EXPECT_EQ(find_memory_rejection(scenario, estimate), std::nullopt);  // all of it may be used
  estimate.stage_memory[1].reserved = estimate.peak_memory = Bytes(831 * kGibi / 10);
  EXPECT_EQ(find_memory_rejection(scenario, estimate),
            (Rejection{RejectReason::kMemory, "83.1 GiB needed, 80.0 GiB there, stage 1"}));
}

// 8 GPUs a node; stages of 4: the first node holds stages 0 and 1.
TEST(MemoryRejection, CountsWhatTheRanksOfANodeKeepOnItsHost) {
  Scenario scenario = gpt3_scenario();
  Estimate estimate;
  estimate.strategy.tensor_parallel = 4;
  estimate.strategy.pipeline_parallel = 4;
  estimate.stage_memory.resize(4);
  estimate.stage_memory[0].host = Bytes(10 * kGibi);
  estimate.stage_memory[1].host = Bytes(11 * kGibi);
  EXPECT_EQ(find_memory_rejection(scenario, estimate), std::nullopt);  // nobody knows what is there
  scenario.hardware.host_memory.value = Bytes(84 * kGibi);
  EXPECT_EQ(find_memory_rejection(scenario, estimate), std::nullopt);
  estimate.stage_memory[2].host = Bytes(22 * kGibi);
  EXPECT_EQ(find_memory_rejection(scenario, estimate),
            (Rejection{RejectReason::kMemory, "88.0 GiB of host memory needed, 84.0 GiB there, node 1"}));
}

TEST(Judge, GivesTheRejectionTheShortageOrTheEstimate) {
  Scenario scenario = tiny_scenario(2);
  const Cluster cluster = Cluster::build(scenario.hardware).value();
  const Evaluator evaluator = plain_evaluator(scenario, cluster);
  const Verdict illegal =
      judge(scenario, sample_strategy(scenario, {.data = 4}), evaluator, Fidelity::kFolded);
  EXPECT_EQ(illegal.kind, Verdict::Kind::kRejected);
  EXPECT_EQ(illegal.rejection->reason, RejectReason::kDegrees);
  EXPECT_FALSE(illegal.estimate);
  const Verdict good = judge(scenario, sample_strategy(scenario, {.data = 2}), evaluator, Fidelity::kFolded);
  EXPECT_EQ(good.kind, Verdict::Kind::kRanked);
  EXPECT_FALSE(good.rejection);
  EXPECT_GT(good.estimate->step_time.value, 0);
  scenario.hardware.device.memory.value = Bytes(1000);
  const Verdict short_of_memory =
      judge(scenario, sample_strategy(scenario, {.data = 2}), evaluator, Fidelity::kFolded);
  EXPECT_EQ(short_of_memory.kind, Verdict::Kind::kRejected);
  EXPECT_EQ(short_of_memory.rejection->reason, RejectReason::kMemory);
  EXPECT_TRUE(short_of_memory.estimate);
}

}  // namespace
}  // namespace portolan
