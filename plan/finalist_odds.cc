#include "plan/finalist_odds.h"

#include <cmath>
#include <numbers>

#include "plan/verdict.h"

namespace portolan {

namespace {

/// Half of 90 % of a normal distribution, in standard deviations.
constexpr double kNineOfTen = 1.6448536269514722;

double deviation_of(const std::optional<ErrorMargin>& margin) {
  return margin ? margin->half_width / kNineOfTen : 0;
}

/// That a standard normal variable is above `z`.
double probability_above(double z) { return 0.5 * std::erfc(z / std::numbers::sqrt2); }

/// Of each of some normal variables of one deviation: that it is the least.
std::vector<double> probabilities_of_least(const std::vector<double>& means, double deviation) {
  constexpr double kReach = 6, kStep = 0.05;  // of the integral over a variable, in deviations
  std::vector<double> probabilities(means.size(), 0.0);
  double sum = 0;
  for (std::size_t i = 0; i < means.size(); ++i) {
    for (double z = -kReach; z <= kReach; z += kStep) {
      double others = std::exp(-z * z / 2);
      for (std::size_t k = 0; k < means.size() && others > 0; ++k) {
        others *= k == i ? 1 : probability_above(z + (means[i] - means[k]) / deviation);
      }
      probabilities[i] += others;
    }
    sum += probabilities[i];
  }
  for (double& probability : probabilities) {
    probability /= sum;
  }
  return probabilities;
}

}  // namespace

std::vector<FinalistOdds> finalist_odds(const Scenario& scenario, const std::vector<Estimate>& ranking,
                                        const PredictionMargins& margins) {
  std::vector<FinalistOdds> odds(ranking.size());
  if (ranking.empty()) {
    return odds;
  }
  const bool by_memory = scenario.objective == Objective::kMemory;
  const double deviation = deviation_of(by_memory ? margins.memory : margins.step_time);
  odds.front().best = 1;
  if (deviation > 0) {
    std::vector<double> means;
    for (const Estimate& estimate : ranking) {
      means.push_back(std::log(objective_value(scenario.objective, estimate)));
    }
    const std::vector<double> least = probabilities_of_least(means, deviation);
    for (std::size_t i = 0; i < odds.size(); ++i) {
      odds[i].best = least[i];
    }
  }
  const double of_memory = deviation_of(margins.memory);
  const auto there = static_cast<double>(scenario.hardware.device.memory.value.value);
  for (std::size_t i = 0; i < odds.size() && of_memory > 0; ++i) {
    const double spare = std::log(there / static_cast<double>(ranking[i].peak_memory.value));
    odds[i].out_of_memory = probability_above(spare / of_memory);
  }
  return odds;
}

}  // namespace portolan
