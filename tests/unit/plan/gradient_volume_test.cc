#include <gtest/gtest.h>

#include <map>
#include <string>

#include "plan/lower.h"
#include "plan/rank_place.h"
#include "plan/slot_turn.h"
#include "sample_scenarios.h"

// What a rank sends of gradients and parameters in a step, from the ops of its Program, against what is
// published of ZeRO (Rajbhandari et al. 2020, arXiv 1910.02054, section 7) and of sharding groups (Zhao et
// al. 2023, arXiv 2304.11277, section 3.2.2).

namespace portolan {
namespace {

constexpr std::int32_t kRanks = 8;
constexpr std::int32_t kMicrobatches = 3;

/// An untied model in fp32 on 8 replicas of one stage.
Scenario replicated() {
  Scenario scenario = tiny_scenario(kRanks);
  scenario.model = tiny_llama();
  scenario.global_batch = kRanks * kMicrobatches;
  return scenario;
}

double elements() { return static_cast<double>(num_parameters(tiny_llama())); }
/// Of a block: the embedding's are read in forward only.
double embedding_elements() {
  return static_cast<double>(tiny_llama().vocab_size * tiny_llama().hidden_size);
}

/// Bytes that rank 0 sends in each collective over data-parallel ranks, by its name and how many take part:
/// in a ring of n, (n - 1) / n of the payload, of an all-reduce twice that (Patarasuk and Yuan 2009, doi
/// 10.1016/j.jpdc.2008.09.002).
std::map<std::string, double> sent(std::int32_t zero_stage, std::int32_t zero_group, bool overlap) {
  const Scenario scenario = replicated();
  Strategy strategy = sample_strategy(scenario, {.data = kRanks});
  strategy.zero_stage = zero_stage;
  strategy.zero_group = zero_group;
  strategy.gradient_aggregation.overlap = overlap;
  strategy.gradient_aggregation.bucket = Bytes(overlap ? 1 : 0);
  const Program program = lower(scenario, strategy);
  const Stage& stage = program.stages[0];
  const std::vector<SlotTurn> turns = slot_turns(stage);
  std::map<std::string, double> bytes;
  for (std::size_t slot = 0; slot < stage.order.size(); ++slot) {
    for (const Op& op : stage.templates[static_cast<std::size_t>(stage.order[slot].template_index)].ops) {
      if (op.kind != OpKind::kCollective || !runs_in(op, turns[slot])) {
        continue;
      }
      const auto n = static_cast<double>(group_of(program, 0, op).size());
      const double rounds = op.collective == CollectiveKind::kAllReduce ? 2 : 1;
      const std::string name =
          std::string(collective_name(op.collective)) + " of " + std::to_string(static_cast<int>(n));
      bytes[name] += rounds * (n - 1) / n * static_cast<double>(op.bytes.value);
    }
  }
  return bytes;
}

using Sent = std::map<std::string, double>;

void expect_sent(std::int32_t zero_stage, std::int32_t zero_group, const Sent& expected,
                 bool overlap = false) {
  SCOPED_TRACE("zero=" + std::to_string(zero_stage) + " zero_group=" + std::to_string(zero_group));
  const Sent found = sent(zero_stage, zero_group, overlap);
  for (const auto& [name, bytes] : found) {
    EXPECT_TRUE(expected.contains(name)) << name << ": " << bytes;
  }
  for (const auto& [name, bytes] : expected) {
    EXPECT_NEAR(found.contains(name) ? found.at(name) : 0, bytes, 1e-9 * bytes) << name;
  }
}

// Gradients once a step, and with ZeRO 1 parameters; with a sharding group of g each rank adds up the n / g
// shards of its place: 1 / g of the gradients.
TEST(GradientVolume, OfWholeGradientsIsThatOfOneSumAStep) {
  const double psi = 4 * elements();
  expect_sent(0, 0, {{"all_reduce of 8", 2 * 7.0 / 8 * psi}});
  expect_sent(1, 0, {{"reduce_scatter of 8", 7.0 / 8 * psi}, {"all_gather of 8", 7.0 / 8 * psi}});
  expect_sent(1, 4,
              {{"reduce_scatter of 4", 3.0 / 4 * psi},
               {"all_reduce of 2", 2 * 1.0 / 2 * psi / 4},
               {"all_gather of 4", 3.0 / 4 * psi}});
  expect_sent(1, 2,
              {{"reduce_scatter of 2", 1.0 / 2 * psi},
               {"all_reduce of 4", 2 * 3.0 / 4 * psi / 2},
               {"all_gather of 2", 1.0 / 2 * psi}});
}

// Gradients are reduced after each microbatch, and shards of groups added up once a step.
TEST(GradientVolume, OfDividedGradientsIsThatOfOneReductionAMicrobatch) {
  const double psi = 4 * elements();
  constexpr double m = kMicrobatches;
  expect_sent(2, 0, {{"reduce_scatter of 8", m * 7 / 8 * psi}, {"all_gather of 8", 7.0 / 8 * psi}});
  expect_sent(2, 4,
              {{"reduce_scatter of 4", m * 3 / 4 * psi},
               {"all_reduce of 2", 2 * 1.0 / 2 * psi / 4},
               {"all_gather of 4", 3.0 / 4 * psi}});
}

// Parameters are gathered in forward and again in backward, but for the embedding's.
TEST(GradientVolume, OfDividedParametersIsHalfAsMuchAgain) {
  const double psi = 4 * elements();
  const double gathered = 2 * psi - 4 * embedding_elements();
  constexpr double m = kMicrobatches;
  expect_sent(3, 0, {{"reduce_scatter of 8", m * 7 / 8 * psi}, {"all_gather of 8", m * 7 / 8 * gathered}});
  expect_sent(3, 4,
              {{"reduce_scatter of 4", m * 3 / 4 * psi},
               {"all_reduce of 2", 2 * 1.0 / 2 * psi / 4},
               {"all_gather of 4", m * 3 / 4 * gathered}});
  for (const bool overlap : {false, true}) {
    expect_sent(3, 2,
                {{"reduce_scatter of 2", m * 1 / 2 * psi},
                 {"all_reduce of 4", 2 * 3.0 / 4 * psi / 2},
                 {"all_gather of 2", m * 1 / 2 * gathered}},
                overlap);
  }
}

}  // namespace
}  // namespace portolan
