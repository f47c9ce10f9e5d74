#include "study/ranking.h"

#include <gtest/gtest.h>

#include <cmath>

#include "sample_rows.h"
#include "study/validation.h"

namespace portolan {
namespace {

TEST(Ranking, APerfectOrderLosesNothing) {
  const JobRanking ranking = ranking_of({{3, 30}, {1, 10}, {2, 20}, {4, 50}});
  EXPECT_DOUBLE_EQ(ranking.regret_pct, 0);
  EXPECT_EQ(ranking.place_of_best, 1);
  EXPECT_DOUBLE_EQ(ranking.spearman, 1);
}

// Places by measurement 1 2 3 4 5, by prediction 3 1 2 5 4: squares of differences 4 1 1 1 1.
TEST(Ranking, WhatTheChosenOneLoses) {
  const JobRanking ranking = ranking_of({{10, 3}, {11, 1}, {12, 2}, {13, 5}, {14, 4}});
  EXPECT_NEAR(ranking.regret_pct, 10, 1e-12);
  EXPECT_EQ(ranking.place_of_best, 3);
  EXPECT_NEAR(ranking.spearman, 1 - 6.0 * 8 / (5 * 24), 1e-12);
}

TEST(Ranking, EqualValuesShareTheirRank) {
  EXPECT_DOUBLE_EQ(ranking_of({{1, 7}, {2, 7}, {3, 7}}).spearman, 0);
  EXPECT_EQ(ranking_of({{1, 7}, {2, 7}}).place_of_best, 1);
  // Ranks 1.5 1.5 3 against 1 2 3.
  EXPECT_NEAR(ranking_of({{1, 1}, {1, 2}, {2, 3}}).spearman, 1.5 / std::sqrt(1.5 * 2), 1e-12);
}

// Eight ways of one job, one of them twice; seven of another.
TEST(Ranking, OfJobsWithEnoughConfigurations) {
  std::string lines;
  const auto row = [&](const std::string& id, const std::string& batch, int tensor, int microbatch,
                       double s) {
    lines += id + ",T,f,a100-node,megatron-2021,8,8,1024,16,4096,51200,2048,,fp16," + batch + "," +
             std::to_string(microbatch) + "," + std::to_string(tensor) + ",1,1," +
             std::to_string(8 / tensor) + ",no,0,full,no," + std::to_string(s) + "\n";
  };
  int id = 0;
  for (const std::string batch : {"64", "32"}) {
    for (const int tensor : {1, 2, 4, 8}) {
      for (const int microbatch : {1, 2}) {
        if (batch == "64" || tensor + microbatch < 10) {
          row("r" + std::to_string(id++), batch, tensor, microbatch, 10 + tensor + 0.1 * microbatch);
        }
      }
    }
  }
  row("repeat", "64", 1, 1, 12);
  const auto predict = [](std::span<const PredictionTask> tasks) {
    std::vector<Result<Estimate>> results;
    for (const PredictionTask& task : tasks) {
      Estimate estimate;
      estimate.strategy = task.strategy;
      estimate.step_time = Seconds(static_cast<double>(10 + task.strategy.tensor_parallel) +
                                   0.1 * static_cast<double>(task.strategy.microbatch_size));
      results.emplace_back(estimate);
    }
    return results;
  };
  const auto validation = validate_rows(rows_from(lines), shipped_catalog(), predict);
  ASSERT_TRUE(validation) << validation.error().message;
  ASSERT_EQ(validation->rankings.size(), 1U);
  const RankingGroup& group = validation->rankings[0];
  EXPECT_EQ(group.jobs, 1);
  EXPECT_EQ(group.configurations, 8);
  // The mean of 11.1 and 12 is above the 11.2 of the next.
  EXPECT_NEAR(group.regret_pct, 100 * (11.55 / 11.2 - 1), 1e-9);
  EXPECT_DOUBLE_EQ(group.place_of_best, 2);
}

}  // namespace
}  // namespace portolan
