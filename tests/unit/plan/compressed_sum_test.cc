#include "plan/compressed_sum.h"

#include <gtest/gtest.h>

#include <string>

#include "plan/lower.h"
#include "sample_scenarios.h"

namespace portolan {
namespace {

/// "gradient_pack 600" of a kernel's bytes, "all_reduce 200" of a payload; steps joined by ", ".
std::string steps_of(const char* compression, const GradientSum& sum) {
  std::string text;
  for (const SumStep& step : compressed_sum(find_compression(compression).value(), sum).steps) {
    text += text.empty() ? "" : ", ";
    if (const auto* computed = std::get_if<SumKernel>(&step)) {
      text += std::string(kernel_name(computed->kernel.kind)) + " " +
              std::to_string(computed->kernel.bytes.value) +
              (computed->count > 1 ? " x" + std::to_string(computed->count) : "");
    } else {
      const auto& sent = std::get<SumCollective>(step);
      text += std::string(collective_name(sent.kind)) + " " + std::to_string(sent.bytes.value);
    }
  }
  return text;
}

// 100 gradients of 4 bytes on 8 ranks: 400 bytes, of which a rank's part are 13.
TEST(CompressedSum, OfNarrowElementsIsTheSameCollectiveOfFewerBytes) {
  GradientSum sum{.num_ranks = 8, .elements = 100};
  EXPECT_EQ(steps_of("bf16", sum), "gradient_pack 600, all_reduce 200, gradient_unpack 600");
  EXPECT_EQ(steps_of("fp8", sum),
            "gradient_scale 404, all_reduce 4, gradient_pack 500, all_reduce 100, gradient_unpack 500");
  sum.scatters = true;
  EXPECT_EQ(steps_of("bf16", sum), "gradient_pack 600, reduce_scatter 200, gradient_unpack 78");
}

// 4096 gradients of 2 bytes on 8 ranks, 512 a part: two blocks with a scale each, one in a part.
TEST(CompressedSum, OfQuantizedElementsExchangesParts) {
  GradientSum sum{.num_ranks = 8, .elements = 4096, .gradient_bytes = 2};
  EXPECT_EQ(packed_bytes(CompressionKind::kInt8, 4096), Bytes(4104));
  EXPECT_EQ(packed_bytes(CompressionKind::kInt4, 4097), Bytes(2049 + 12));
  EXPECT_EQ(
      steps_of("int8", sum),
      "gradient_pack 12296, all_to_all 4104, quantized_sum 4620, all_gather 4104, gradient_unpack 12296");
  EXPECT_EQ(
      steps_of("int4", sum),
      "gradient_pack 10248, all_to_all 2056, quantized_sum 2316, all_gather 2056, gradient_unpack 10248");
  sum.scatters = true;
  EXPECT_EQ(steps_of("int4", sum), "gradient_pack 10248, all_to_all 2056, quantized_sum 3080");
}

// The same in nodes of 2 ranks: a half to each of them, of which a quarter to each of 4 nodes.
TEST(CompressedSum, OfQuantizedElementsGoesByNodes) {
  GradientSum sum{.num_ranks = 8, .ranks_per_node = 2, .elements = 4096, .gradient_bytes = 2};
  EXPECT_EQ(steps_of("int8", sum),
            "gradient_pack 12296, all_to_all 4104, quantized_sum 6156, all_to_all 2052, quantized_sum 2568, "
            "all_gather 2052, all_gather 4104, gradient_unpack 12296");
  sum.scatters = true;
  EXPECT_EQ(steps_of("int8", sum),
            "gradient_pack 12296, all_to_all 4104, quantized_sum 6156, all_to_all 2052, quantized_sum 3076");
}

// Nodes of 8 GPUs: 4 data-parallel ranks of a group on each beside tp=2, one beside tp=8; none are told apart
// where one node holds all, or by rings.
TEST(CompressedSum, KnowsTheRanksOfANode) {
  Scenario scenario = gpt3_scenario();
  const auto on_a_node = [&](const Degrees& degrees, CollectiveAlgorithm algorithm) {
    Strategy strategy = sample_strategy(scenario, degrees);
    strategy.gradient_aggregation = {
        .algorithm = algorithm, .bucket = {}, .compression = {.kind = CompressionKind::kInt8}};
    return gradient_sum(scenario, strategy, false).ranks_per_node;
  };
  EXPECT_EQ(on_a_node({.tensor = 2, .data = 256}, CollectiveAlgorithm::kHierarchical), 4);
  EXPECT_EQ(on_a_node({.tensor = 2, .data = 256}, CollectiveAlgorithm::kRing), 1);
  EXPECT_EQ(on_a_node({.tensor = 8, .data = 64}, CollectiveAlgorithm::kHierarchical), 1);
  EXPECT_EQ(on_a_node({.tensor = 2, .data = 4}, CollectiveAlgorithm::kHierarchical), 1);
  EXPECT_EQ(on_a_node({.tensor = 2, .data = 6}, CollectiveAlgorithm::kHierarchical), 1);  // 4 and 2
}

// 10 of 1000 gradients with their places, 8 bytes each, from each of 4 ranks.
TEST(CompressedSum, OfTheLargestElementsGrowsWithTheRanks) {
  GradientSum sum{.num_ranks = 4, .elements = 1000};
  EXPECT_EQ(steps_of("topk:0.01", sum),
            "gradient_add 12000, topk_select 4120, all_gather 320, topk_scatter 4640");
  sum.num_ranks = 400;
  EXPECT_EQ(steps_of("topk:0.01", sum),
            "gradient_add 12000, topk_select 4120, all_gather 32000, topk_scatter 68000");
  sum.elements = 10;  // one at least
  EXPECT_EQ(steps_of("topk:0.01", sum),
            "gradient_add 120, topk_select 52, all_gather 3200, topk_scatter 6440");
}

// A matrix of 6 x 5 and 7 elements of vectors: factors of 6 x 2 and 5 x 2.
TEST(CompressedSum, OfFactorsIsThatOfVectorsAndBothFactors) {
  GradientSum sum{.num_ranks = 4, .elements = 37, .matrices = {{.rows = 6, .columns = 5}}};
  EXPECT_EQ(steps_of("powersgd:2", sum),
            "all_reduce 28, gradient_add 360, low_rank_product 208, all_reduce 48, orthogonalize 144, "
            "low_rank_product 208, all_reduce 40, low_rank_expand 448");
  sum.matrices.front().count = 2;
  sum.elements = 60;
  EXPECT_EQ(steps_of("powersgd:2", sum),
            "gradient_add 360 x2, low_rank_product 208 x2, all_reduce 96, orthogonalize 144 x2, "
            "low_rank_product 208 x2, all_reduce 80, low_rank_expand 448 x2");
  EXPECT_TRUE((GradientMatrix{.rows = 6, .columns = 5}.is_factored(2)));
  EXPECT_FALSE((GradientMatrix{.rows = 6, .columns = 5}.is_factored(3)));
  EXPECT_FALSE((GradientMatrix{.rows = 1, .columns = 500}.is_factored(1)));
}

/// Of all buffers, those that live for the whole run and those that do not.
struct HeldBytes {
  std::int64_t gradients = 0;
  std::int64_t sent = 0;

  bool operator==(const HeldBytes&) const = default;
};
HeldBytes held(const char* compression) {
  Scenario scenario = tiny_scenario(8);
  scenario.model = tiny_llama();
  scenario.lossy_gradients = true;
  Strategy strategy = sample_strategy(scenario, {.data = 8});
  strategy.gradient_aggregation.compression = find_compression(compression).value();
  const Program program = lower(scenario, strategy);
  HeldBytes bytes;
  for (const Buffer& buffer : program.stages[0].buffers) {
    bytes.gradients += buffer.kind == BufferKind::kGradient ? buffer.bytes.value : 0;
    bytes.sent += buffer.kind == BufferKind::kCommunication ? buffer.bytes.value : 0;
  }
  return bytes;
}

// What error feedback keeps is another fp32 gradient of each parameter that is not sent whole.
TEST(CompressedSum, KeepsWhatWasNotSent) {
  const std::int64_t elements = num_parameters(tiny_llama());
  // 4 layers: 8 norms of 32, the last norm, and matrices of 64 x 32, 32 x 32, 128 x 32 and 32 x 64; word
  // embedding and head of 50 x 32.
  const std::int64_t vectors = 9 * 32;
  const std::int64_t rows = 4 * (64 + 32 + 128 + 32) + 2 * 50, columns = 4 * (32 + 32 + 32 + 64) + 2 * 32;
  const std::int64_t scales = 4 * ((elements + 2047) / 2048);
  EXPECT_EQ(held("none"), (HeldBytes{4 * elements, 0}));
  EXPECT_EQ(held("bf16"), (HeldBytes{4 * elements, 2 * elements}));
  EXPECT_EQ(held("fp8"), (HeldBytes{4 * elements, elements + 4}));
  EXPECT_EQ(held("int8"), (HeldBytes{4 * elements, 2 * (elements + scales)}));
  EXPECT_EQ(held("topk:0.125"), (HeldBytes{8 * elements, 8 * elements}));
  EXPECT_EQ(held("powersgd:2"), (HeldBytes{4 * elements + 4 * (elements - vectors) + 8 * columns, 8 * rows}));
}

}  // namespace
}  // namespace portolan
