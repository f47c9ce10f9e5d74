#include <gtest/gtest.h>

#include <cmath>
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
std::map<std::string, double> sent(std::int32_t zero_stage, std::int32_t zero_group, bool overlap,
                                   const GradientAggregation& aggregation = {}) {
  Scenario scenario = replicated();
  scenario.lossy_gradients = true;
  Strategy strategy = sample_strategy(scenario, {.data = kRanks});
  strategy.zero_stage = zero_stage;
  strategy.zero_group = zero_group;
  strategy.gradient_aggregation = aggregation;
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

void expect_equal(const Sent& found, const Sent& expected) {
  for (const auto& [name, bytes] : found) {
    EXPECT_TRUE(expected.contains(name)) << name << ": " << bytes;
  }
  for (const auto& [name, bytes] : expected) {
    EXPECT_NEAR(found.contains(name) ? found.at(name) : 0, bytes, 1e-9 * bytes) << name;
  }
}

void expect_sent(std::int32_t zero_stage, std::int32_t zero_group, const Sent& expected,
                 bool overlap = false) {
  SCOPED_TRACE("zero=" + std::to_string(zero_stage) + " zero_group=" + std::to_string(zero_group));
  expect_equal(sent(zero_stage, zero_group, overlap), expected);
}

void expect_sent(const char* compression, std::int32_t zero_stage, const Sent& expected,
                 CollectiveAlgorithm algorithm = CollectiveAlgorithm::kRing) {
  SCOPED_TRACE(std::string(compression) + " zero=" + std::to_string(zero_stage));
  expect_equal(
      sent(zero_stage, 0, false,
           {.algorithm = algorithm, .bucket = {}, .compression = find_compression(compression).value()}),
      expected);
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

// Elements of fewer bits: the same sum of fewer bytes; with a scale a block, parts exchanged and gathered
// (ZeRO++, arXiv 2306.10209), of which ZeRO 1 needs the exchange alone.
TEST(GradientVolume, OfFewerBitsIsThatMuchLess) {
  const double psi = 4 * elements(), scales = 4 * std::ceil(elements() / 2048);
  expect_sent("bf16", 0, {{"all_reduce of 8", 2 * 7.0 / 8 * psi / 2}});
  expect_sent("bf16", 1, {{"reduce_scatter of 8", 7.0 / 8 * psi / 2}, {"all_gather of 8", 7.0 / 8 * psi}});
  expect_sent("fp8", 0, {{"all_reduce of 8", 2 * 7.0 / 8 * (psi / 4 + 4)}});
  for (const auto& [name, bits] : {std::pair{"int8", 8.0}, {"int4", 4.0}}) {
    const double part = 7.0 / 8 * (elements() * bits / 8 + scales);
    expect_sent(name, 0, {{"all_to_all of 8", part}, {"all_gather of 8", part}});
    expect_sent(name, 1, {{"all_to_all of 8", part}, {"all_gather of 8", 7.0 / 8 * psi}});
  }
}

// By nodes of 4, of which there are 2: what leaves a node is a quarter of what its ranks hold (qgZ).
TEST(GradientVolume, OfFewerBitsByNodesIsASharesShareBetweenThem) {
  const double psi = 4 * elements();
  const auto packed = [](double count) { return count + 4 * std::ceil(count / 2048); };
  const double whole = packed(elements()), quarter = packed(elements() / 4);
  expect_sent("int8", 0,
              {{"all_to_all of 4", 3.0 / 4 * whole},
               {"all_to_all of 2", 1.0 / 2 * quarter},
               {"all_gather of 2", 1.0 / 2 * quarter},
               {"all_gather of 4", 3.0 / 4 * whole}},
              CollectiveAlgorithm::kHierarchical);
  expect_sent("int8", 1,
              {{"all_to_all of 4", 3.0 / 4 * whole},
               {"all_to_all of 2", 1.0 / 2 * quarter},
               {"all_gather of 8", 7.0 / 8 * psi}},
              CollectiveAlgorithm::kHierarchical);
}

// A value and its place of each element that a rank sends, to all others (Aji and Heafield 2017, arXiv
// 1704.05021).
TEST(GradientVolume, OfTheLargestElementsIsTheirsTimesTheOtherRanks) {
  expect_sent("topk:0.01", 0, {{"all_gather of 8", 7 * 8 * std::round(0.01 * elements())}});
}

// r (n + m) elements of each matrix of n x m, and all of vectors (Vogels et al. 2019, arXiv 1905.13727,
// table 1). tiny_llama: 4 layers of 64 x 32, 32 x 32, 128 x 32, 32 x 64, two tables of 50 x 32, 9 norms
// of 32.
TEST(GradientVolume, OfFactorsIsTheirRowsAndColumns) {
  for (const int rank : {1, 2, 8}) {
    const double factors = 4.0 * (96 + 64 + 160 + 96) + 2.0 * 82;
    expect_sent(("powersgd:" + std::to_string(rank)).c_str(), 0,
                {{"all_reduce of 8", 2 * 7.0 / 8 * 4 * (rank * factors + 9 * 32)}});
  }
  // Factors of 16 columns are no smaller than 32 x 32.
  const double factors = 4.0 * (96 + 160 + 96) + 2.0 * 82;
  expect_sent("powersgd:16", 0,
              {{"all_reduce of 8", 2 * 7.0 / 8 * 4 * (16 * factors + 4 * 32 * 32 + 9 * 32)}});
}

}  // namespace
}  // namespace portolan
