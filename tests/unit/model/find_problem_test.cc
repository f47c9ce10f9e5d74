#include <gtest/gtest.h>

#include <limits>

#include "sample_models.h"

namespace portolan {
namespace {

struct Row {
  const char* key;      ///< nullptr: no problem
  const char* message;  ///< its beginning
  void (*change)(TransformerConfig&);
};

TEST(FindProblem, NamesTheKeyTheValueAndWhatIsAllowed) {
  const std::vector<Row> table = {
      {nullptr, "", [](TransformerConfig&) {}},
      {"num_layers", "0 (allowed: 1 to", [](TransformerConfig& c) { c.num_layers = 0; }},
      {"num_layers", "-3 (allowed", [](TransformerConfig& c) { c.num_layers = -3; }},
      {"num_layers", "100001 (allowed: 1 to 100000)", [](TransformerConfig& c) { c.num_layers = 100001; }},
      {"hidden_size", "0 (allowed", [](TransformerConfig& c) { c.hidden_size = 0; }},
      {"hidden_size", "4611686018427387904 (allowed",
       [](TransformerConfig& c) { c.hidden_size = std::int64_t{1} << 62; }},
      {"hidden_size", "768 is not divisible by num_heads 11",
       [](TransformerConfig& c) { c.num_heads = c.num_kv_heads = 11; }},
      {"num_heads", "0 (allowed", [](TransformerConfig& c) { c.num_heads = 0; }},
      {"num_kv_heads", "0 (allowed", [](TransformerConfig& c) { c.num_kv_heads = 0; }},
      {"num_kv_heads", "5 does not divide num_heads 12", [](TransformerConfig& c) { c.num_kv_heads = 5; }},
      {"num_kv_heads", "24 does not divide num_heads 12", [](TransformerConfig& c) { c.num_kv_heads = 24; }},
      {nullptr, "", [](TransformerConfig& c) { c.num_kv_heads = 1; }},
      {"ffn_size", "0 (allowed", [](TransformerConfig& c) { c.ffn_size = 0; }},
      {"vocab_size", "-1 (allowed", [](TransformerConfig& c) { c.vocab_size = -1; }},
      {"max_positions", "0 (allowed", [](TransformerConfig& c) { c.max_positions = 0; }},
      {"num_heads", "head dimension 768 / 256 = 3 is odd",
       [](TransformerConfig& c) {
         c.num_heads = c.num_kv_heads = 256;
         c.position = PositionEncoding::kRotary;
       }},
      {nullptr, "", [](TransformerConfig& c) { c.num_heads = c.num_kv_heads = 256; }},
      {"head_dim", "0 (allowed: 1 to", [](TransformerConfig& c) { c.explicit_head_dim = 0; }},
      {"head_dim", "65 is odd (allowed with rotary positions: even)",
       [](TransformerConfig& c) {
         c.explicit_head_dim = 65;
         c.position = PositionEncoding::kRotary;
       }},
      {nullptr, "",
       [](TransformerConfig& c) {
         c.num_heads = c.num_kv_heads = 11;
         c.explicit_head_dim = 128;
       }},
      {"rotary_dim", "16 (allowed: with rotary positions)", [](TransformerConfig& c) { c.rotary_dim = 16; }},
      {"rotary_dim", "66 (allowed: an even number from 2 to the head dimension 64)",
       [](TransformerConfig& c) {
         c.position = PositionEncoding::kRotary;
         c.rotary_dim = 66;
       }},
      {"rotary_dim", "15 (allowed",
       [](TransformerConfig& c) {
         c.position = PositionEncoding::kRotary;
         c.rotary_dim = 15;
       }},
      {"position_offset", "-1 (allowed: 0 to", [](TransformerConfig& c) { c.position_offset = -1; }},
      {"position_offset", "2 (allowed: above 0 with learned positions)",
       [](TransformerConfig& c) {
         c.position = PositionEncoding::kAlibi;
         c.position_offset = 2;
       }},
      {"sliding_window", "0 (allowed: 1 to", [](TransformerConfig& c) { c.sliding_window = 0; }},
      {"norm_epsilon", "0 (allowed", [](TransformerConfig& c) { c.norm_epsilon = 0; }},
      {"norm_epsilon", "nan (allowed",
       [](TransformerConfig& c) { c.norm_epsilon = std::numeric_limits<double>::quiet_NaN(); }},
      {"rotary_theta", "1 (allowed", [](TransformerConfig& c) { c.rotary_theta = 1; }},
      {"rotary_theta", "nan (allowed",
       [](TransformerConfig& c) { c.rotary_theta = std::numeric_limits<double>::quiet_NaN(); }},
      {"rotary_theta", "inf (allowed",
       [](TransformerConfig& c) { c.rotary_theta = std::numeric_limits<double>::infinity(); }},
      {"initializer_std", "0 (allowed", [](TransformerConfig& c) { c.initializer_std = 0; }},
      {"initializer_std", "inf (allowed",
       [](TransformerConfig& c) { c.initializer_std = std::numeric_limits<double>::infinity(); }},
  };
  for (const Row& row : table) {
    TransformerConfig config =
        gpt({.layers = 12, .hidden = 768, .heads = 12, .vocab = 50257, .positions = 1024});
    row.change(config);
    const auto problem = find_problem(config);
    if (row.key == nullptr) {
      EXPECT_FALSE(problem) << problem->key << ": " << problem->message;
      continue;
    }
    ASSERT_TRUE(problem) << row.key << " " << row.message;
    EXPECT_EQ(problem->key, row.key);
    EXPECT_TRUE(problem->message.starts_with(row.message)) << problem->message;
  }
}

TEST(FindProblem, OfExpertsNamesTheKeyBelowTheirs) {
  const std::vector<Row> table = {
      {nullptr, "", [](TransformerConfig&) {}},
      {"experts.num_experts", "0 (allowed: 1 to", [](TransformerConfig& c) { c.experts->num_experts = 0; }},
      {"experts.experts_per_token", "5 (allowed: 1 to 4)",
       [](TransformerConfig& c) { c.experts->experts_per_token = 5; }},
      {"experts.expert_ffn_size", "0 (allowed: 1 to",
       [](TransformerConfig& c) { c.experts->expert_ffn_size = 0; }},
      {"experts.shared_ffn_size", "-1 (allowed: 0 to",
       [](TransformerConfig& c) { c.experts->shared_ffn_size = -1; }},
      {"experts.first_dense_layers", "5 (allowed: 0 to 4)",
       [](TransformerConfig& c) { c.experts->first_dense_layers = 5; }},
      {"experts.layer_period", "0 (allowed: 1 to 4)",
       [](TransformerConfig& c) { c.experts->layer_period = 0; }},
      {"experts.capacity_factor", "0 (allowed: above 0",
       [](TransformerConfig& c) { c.experts->capacity_factor = 0; }},
      {"experts.capacity_factor", "nan (allowed: above 0",
       [](TransformerConfig& c) { c.experts->capacity_factor = std::numeric_limits<double>::quiet_NaN(); }},
      {"parallel_residual", "true with experts is not available yet",
       [](TransformerConfig& c) { c.parallel_residual = true; }},
      {"num_layers", "4 make",
       [](TransformerConfig& c) {
         c.experts->num_experts = 1 << 22;
         c.experts->expert_ffn_size = 1 << 22;
       }},
  };
  for (const Row& row : table) {
    TransformerConfig config = small_deepseek();
    row.change(config);
    const auto problem = find_problem(config);
    if (row.key == nullptr) {
      EXPECT_FALSE(problem) << problem->key << ": " << problem->message;
      continue;
    }
    ASSERT_TRUE(problem) << row.key << " " << row.message;
    EXPECT_EQ(problem->key, row.key);
    EXPECT_TRUE(problem->message.starts_with(row.message)) << problem->message;
  }
}

TEST(FindProblem, OfLatentAttentionNamesWhatItHasNoPlaceFor) {
  const std::vector<Row> table = {
      {nullptr, "", [](TransformerConfig&) {}},
      {nullptr, "", [](TransformerConfig& c) { c.latent->q_lora_rank = 0; }},
      {nullptr, "", [](TransformerConfig& c) { c.linear_bias = true; }},
      // A head of its own width: neither does hidden_size divide by heads nor is nope + rope even.
      {nullptr, "", [](TransformerConfig& c) { c.hidden_size = 18; }},
      {"latent_attention.kv_lora_rank", "0 (allowed: 1 to", [](TransformerConfig& c) { c.latent.emplace(); }},
      {"latent_attention.q_lora_rank", "-1 (allowed: 0 to",
       [](TransformerConfig& c) { c.latent->q_lora_rank = -1; }},
      {"latent_attention.qk_nope_head_dim", "0 (allowed: 1 to",
       [](TransformerConfig& c) { c.latent->qk_nope_head_dim = 0; }},
      {"latent_attention.qk_rope_head_dim", "3 is odd",
       [](TransformerConfig& c) { c.latent->qk_rope_head_dim = 3; }},
      {"latent_attention.v_head_dim", "0 (allowed: 1 to",
       [](TransformerConfig& c) { c.latent->v_head_dim = 0; }},
      {"latent_attention", "is there (allowed: with rotary",
       [](TransformerConfig& c) { c.position = PositionEncoding::kLearned; }},
      {"latent_attention", "is there (allowed: with RMS",
       [](TransformerConfig& c) { c.normalization = Normalization::kLayerNorm; }},
      {"num_kv_heads", "2 (allowed with latent attention: as num_heads, 4)",
       [](TransformerConfig& c) { c.num_kv_heads = 2; }},
      {"head_dim", "is there (allowed: without", [](TransformerConfig& c) { c.explicit_head_dim = 8; }},
      {"rotary_dim", "is there (allowed: without", [](TransformerConfig& c) { c.rotary_dim = 2; }},
      {"query_key_norm", "is there (allowed: without", [](TransformerConfig& c) { c.query_key_norm = true; }},
      {"qkv_bias", "is there (allowed: without", [](TransformerConfig& c) { c.qkv_bias = true; }},
      {"num_layers", "2 make",
       [](TransformerConfig& c) {
         c.hidden_size = 1 << 24;
         c.latent->q_lora_rank = c.latent->kv_lora_rank = 1 << 24;
       }},
  };
  for (const Row& row : table) {
    TransformerConfig config = small_latent();
    row.change(config);
    const auto problem = find_problem(config);
    if (row.key == nullptr) {
      EXPECT_FALSE(problem) << problem->key << ": " << problem->message;
      continue;
    }
    ASSERT_TRUE(problem) << row.key << " " << row.message;
    EXPECT_EQ(problem->key, row.key);
    EXPECT_TRUE(problem->message.starts_with(row.message)) << problem->message;
  }
}

TEST(FindProblem, NoCountOverflowsWhereNoProblemIsFound) {
  // 100,000 layers of 12 x 2^48 elements are 3.4e20, beyond the 9.2e18 of 64 bits.
  TransformerConfig config =
      gpt({.layers = 100'000, .hidden = std::int64_t{1} << 24, .heads = 1, .vocab = 1, .positions = 1});
  config.ffn_size = std::int64_t{1} << 24;
  const auto problem = find_problem(config);
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->key, "num_layers");
  // A hundred times the largest models trained so far is still allowed: 100 layers of 12 x 2^36
  // elements, 8.2e13 parameters.
  EXPECT_FALSE(find_problem(
      gpt({.layers = 100, .hidden = 1 << 18, .heads = 1 << 10, .vocab = 1 << 18, .positions = 1 << 20})));
}

}  // namespace
}  // namespace portolan
