#include <gtest/gtest.h>

#include <optional>

#include "plan/rematerialization.h"
#include "rematerialization_problems.h"

namespace portolan {
namespace {

std::vector<std::size_t> layers_of_stage(const RematerializationProblem& problem) {
  std::vector<std::size_t> layers = problem.running;
  for (const RematerializationProblem::HeldChunk& chunk : problem.held) {
    layers.insert(layers.end(), chunk.layers.begin(), chunk.layers.end());
  }
  return layers;
}

Seconds recompute_of_choices(const RematerializationProblem& problem, const LayerChoices& choices) {
  const std::vector<std::size_t> layers = layers_of_stage(problem);
  Seconds time;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    time += problem.kinds[layers[i]][choices[i]].recompute;
  }
  return time;
}

/// The least time of all choices that fit.
std::optional<Seconds> by_trying_all(const RematerializationProblem& problem) {
  const std::vector<std::size_t> layers = layers_of_stage(problem);
  LayerChoices choices(layers.size(), 0);
  std::optional<Seconds> least;
  while (true) {
    if (rematerialized_memory(problem, choices) <= problem.budget) {
      const Seconds time = recompute_of_choices(problem, choices);
      least = least ? std::min(*least, time) : time;
    }
    std::size_t i = 0;
    while (i < choices.size() && ++choices[i] == problem.kinds[layers[i]].size()) {
      choices[i++] = 0;
    }
    if (i == choices.size()) {
      return least;
    }
  }
}

TEST(Rematerialization, IsTheBestOfAllChoices) {
  std::mt19937_64 random(1);
  int num_solved = 0, num_infeasible = 0;
  for (int i = 0; i < 3000; ++i) {
    SCOPED_TRACE(i);
    const RematerializationProblem problem = made_up_problem(random, {});
    const std::optional<Seconds> best = by_trying_all(problem);
    const std::optional<Rematerialization> found = rematerialize(problem);
    ASSERT_EQ(found.has_value(), best.has_value());
    if (!found) {
      ++num_infeasible;
      continue;
    }
    ++num_solved;
    EXPECT_EQ(found->recompute, *best);
    EXPECT_EQ(found->recompute, recompute_of_choices(problem, found->choices));
    EXPECT_EQ(found->memory, rematerialized_memory(problem, found->choices));
    EXPECT_LE(found->memory, problem.budget);
  }
  EXPECT_GT(num_solved, 2000);
  EXPECT_GT(num_infeasible, 100);
}

TEST(Rematerialization, TakesNoLongerWithMoreMemory) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 100; ++i) {
    RematerializationProblem problem =
        made_up_problem(random, {.most_choices = 8, .most_layers = 24, .most_held = 6});
    const Bytes most = problem.budget * 2;
    std::optional<Seconds> before;
    for (Bytes budget = problem.budget / 2; budget < most; budget += most / 40 + Bytes(1)) {
      problem.budget = budget;
      const std::optional<Rematerialization> found = rematerialize(problem);
      ASSERT_TRUE(found || !before) << "fits in less than " << budget.value;
      if (found) {
        EXPECT_LE(found->recompute, before.value_or(found->recompute));
        before = found->recompute;
      }
    }
  }
}

/// One that fits is still the answer, and one choice more of any layer's makes it no worse.
TEST(Rematerialization, ChoicesThatAreNoBetterChangeNothing) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 500; ++i) {
    RematerializationProblem problem = made_up_problem(random, {});
    const std::optional<Rematerialization> found = rematerialize(problem);
    for (std::vector<LayerChoice>& choices : problem.kinds) {
      LayerChoice worse = choices.front();
      worse.saved += Bytes(1);
      worse.recompute += Seconds(1);
      choices.insert(choices.begin(), worse);
      choices.push_back(choices.back());
    }
    const std::optional<Rematerialization> again = rematerialize(problem);
    ASSERT_EQ(again.has_value(), found.has_value());
    if (found) {
      EXPECT_EQ(again->recompute, found->recompute);
    }
  }
}

}  // namespace
}  // namespace portolan
