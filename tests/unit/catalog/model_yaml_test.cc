#include "catalog/model_yaml.h"

#include <gtest/gtest.h>

#include "sample_scenario.h"

namespace portolan {
namespace {

TEST(ModelYaml, WritesWhatItReads) {
  const std::string text = write_model(sample_model());
  const Result<TransformerConfig> again = read_model_text(text, "again.yaml");
  ASSERT_TRUE(again) << again.error().message << "\n" << text;
  EXPECT_EQ(*again, sample_model());
}

TEST(ModelYaml, WritesAPositionTableAsItReadsIt) {
  TransformerConfig model = sample_model();
  model.position = PositionEncoding::kLearned;
  model.rotary_dim.reset();
  model.position_offset = 2;
  model.activation = Activation::kRelu;
  const Result<TransformerConfig> again = read_model_text(write_model(model), "again.yaml");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, model);
}

TEST(ModelYaml, WritesExpertsAndLatentAttentionAsItReadsThem) {
  TransformerConfig model = sample_model();
  model.parallel_residual = false;
  model.experts = {.num_experts = 16,
                   .experts_per_token = 3,
                   .expert_ffn_size = 40,
                   .shared_ffn_size = 80,
                   .first_dense_layers = 1,
                   .layer_period = 2,
                   .capacity_factor = 1.25 / 3,
                   .router_bias = true};
  model.num_kv_heads = model.num_heads;
  model.explicit_head_dim.reset();
  model.rotary_dim.reset();
  model.query_key_norm = model.qkv_bias = false;
  model.latent = {
      .q_lora_rank = 24, .kv_lora_rank = 16, .qk_nope_head_dim = 12, .qk_rope_head_dim = 6, .v_head_dim = 10};
  std::string text = write_model(model);
  Result<TransformerConfig> again = read_model_text(text, "again.yaml");
  ASSERT_TRUE(again) << again.error().message << "\n" << text;
  EXPECT_EQ(*again, model);
  model.experts->capacity_factor.reset();
  text = write_model(model);
  again = read_model_text(text, "again.yaml");
  ASSERT_TRUE(again) << again.error().message << "\n" << text;
  EXPECT_EQ(*again, model);
}

TEST(ModelYaml, PointsToTheKeyThatCannotBe) {
  const std::string head = "name: a\nnum_layers: 2\nvocab_size: 10\nmax_positions: 4\n";
  EXPECT_EQ(read_model_text(head + "hidden_size: 10\nnum_heads: 3\n", "m.yaml").error().message,
            "m.yaml:5: hidden_size: 10 is not divisible by num_heads 3");
  EXPECT_EQ(
      read_model_text(head + "hidden_size: 12\nnum_heads: 3\nactivation: swiglu\n", "m.yaml").error().message,
      "m.yaml:1: key \"ffn_size\" is missing (allowed: a whole number from 1 to 16777216)");
  EXPECT_EQ(
      read_model_text(head + "hidden_size: 12\nnum_heads: 3\nlinear_bias: yes\n", "m.yaml").error().message,
      "m.yaml:7: linear_bias: \"yes\" is not known (allowed: true, false)");
}

}  // namespace
}  // namespace portolan
