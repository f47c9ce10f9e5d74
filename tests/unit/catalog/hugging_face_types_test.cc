#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "catalog/hugging_face.h"
#include "catalog/model_yaml.h"
#include "published_configs.h"

namespace portolan {
namespace {

/// The published config.json of `name` with `from` replaced.
std::string changed(const std::string& name, const std::string& from, const std::string& to) {
  std::string text = published_json(name);
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TransformerConfig read(const std::string& text) {
  const Result<TransformerConfig> config = read_hugging_face_text(text, "c.json");
  EXPECT_TRUE(config) << config.error().message;
  return config ? *config : TransformerConfig{};
}

TEST(HuggingFaceTypes, PublishedModelsHaveTheirPublishedParameters) {
  for (const PublishedConfig& published : published_configs()) {
    const TransformerConfig config = read(published.json);
    const auto total = static_cast<double>(num_parameters(config));
    const auto active = static_cast<double>(num_active_parameters(config));
    EXPECT_NEAR(total, published.parameters, published.tolerance * published.parameters) << published.name;
    EXPECT_NEAR(active, published.active_parameters, published.tolerance * published.active_parameters)
        << published.name;
    EXPECT_EQ(total == active, !config.experts) << published.name;
  }
}

TEST(HuggingFaceTypes, AreTheModelsThatAreShipped) {
  for (const PublishedConfig& published : published_configs()) {
    const std::string path = PORTOLAN_SOURCE_DIR "/scenarios/models/" + published.name + ".yaml";
    const Result<TransformerConfig> shipped = read_model(path);
    ASSERT_TRUE(shipped) << shipped.error().message;
    const Result<TransformerConfig> config =
        read_hugging_face_text(published.json, published.name + "/config.json");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(*config, *shipped) << write_model(*config) << "shipped:\n" << write_model(*shipped);
  }
}

TEST(HuggingFaceTypes, KnowDefaultsOfAbsentKeys) {
  const std::string llama_sizes =
      R"("hidden_size": 64, "intermediate_size": 100, "num_attention_heads": 32, "num_hidden_layers": 4,
         "vocab_size": 100)";
  const TransformerConfig mistral = read("{\"model_type\": \"mistral\", " + llama_sizes + "}");
  EXPECT_EQ(mistral.num_kv_heads, 8);
  EXPECT_EQ(mistral.sliding_window, 4096);
  EXPECT_EQ(mistral.max_positions, 131072);
  const TransformerConfig qwen2 = read("{\"model_type\": \"qwen2\", " + llama_sizes + "}");
  EXPECT_EQ(qwen2.num_kv_heads, 32);
  EXPECT_TRUE(qwen2.has_qkv_bias());
  EXPECT_FALSE(qwen2.linear_bias);
  EXPECT_FALSE(qwen2.sliding_window);
  const TransformerConfig mixtral = read("{\"model_type\": \"mixtral\", " + llama_sizes + "}");
  ASSERT_TRUE(mixtral.experts);
  EXPECT_EQ(mixtral.experts->num_experts, 8);
  EXPECT_EQ(mixtral.experts->experts_per_token, 2);
  EXPECT_EQ(mixtral.experts->expert_ffn_size, 100);
  EXPECT_FALSE(mixtral.sliding_window);
  const TransformerConfig deepseek =
      read("{\"model_type\": \"deepseek_v3\", \"moe_intermediate_size\": 8, " + llama_sizes + "}");
  ASSERT_TRUE(deepseek.experts && deepseek.latent);
  EXPECT_EQ(deepseek.experts->num_experts, 256);
  EXPECT_EQ(deepseek.experts->first_dense_layers, 3);
  EXPECT_EQ(deepseek.latent->q_lora_rank, 1536);
  EXPECT_EQ(deepseek.num_kv_heads, 32);
  const TransformerConfig neox = read(
      R"({"model_type": "gpt_neox", "hidden_size": 64, "intermediate_size": 100, "num_attention_heads": 8,
          "num_hidden_layers": 4, "vocab_size": 100})");
  EXPECT_EQ(neox.rotary_dim, 2) << "a quarter of 8 columns";
  EXPECT_TRUE(neox.parallel_residual);
  EXPECT_FALSE(neox.tied_embeddings);
}

TEST(HuggingFaceTypes, KeysChangeWhatTheyName) {
  EXPECT_FALSE(read(changed("gpt-neox-20b", "\"use_cache\": true", "\"use_parallel_residual\": false"))
                   .parallel_residual);
  EXPECT_FALSE(read(changed("gpt-neox-20b", "0.25", "1.0")).rotary_dim);
  EXPECT_EQ(read(changed("opt-66b", "\"relu\"", "\"gelu\"")).activation, Activation::kGelu);
  EXPECT_FALSE(read(changed("opt-66b", "\"dropout\": 0.1", "\"enable_bias\": false")).linear_bias);
  EXPECT_EQ(read(changed("bloom-176b", "\"n_embed\"", "\"hidden_size\"")).hidden_size, 14336);
  EXPECT_EQ(read(changed("bloom-176b", "\"pretraining_tp\": 4", "\"seq_length\": 4096")).max_positions, 4096);
  EXPECT_FALSE(
      read(changed("mistral-7b", "\"sliding_window\": 4096", "\"sliding_window\": null")).sliding_window);
  EXPECT_EQ(read(changed("mistral-7b", "\"rope_theta\"", "\"head_dim\": 160, \"rope_theta\"")).head_dim(),
            160);
  EXPECT_FALSE(
      read(changed("mistral-7b", "\"rope_theta\"", "\"head_dim\": 128, \"rope_theta\"")).explicit_head_dim);
  const TransformerConfig sparse =
      read(changed("qwen3-235b-a22b", "\"decoder_sparse_step\": 1", "\"decoder_sparse_step\": 2"));
  EXPECT_EQ(num_layers_of(sparse, LayerKind::kExperts), 47);
  EXPECT_EQ(read(changed("qwen3-235b-a22b", "\"mlp_only_layers\": []", "\"mlp_only_layers\": [1, 0]"))
                .experts->first_dense_layers,
            2);
  EXPECT_EQ(
      read(changed("deepseek-v3", "\"q_lora_rank\": 1536", "\"q_lora_rank\": null")).latent->q_lora_rank, 0);
  EXPECT_EQ(read(changed("deepseek-v3", "\"n_shared_experts\": 1", "\"n_shared_experts\": 2"))
                .experts->shared_ffn_size,
            4096);
  EXPECT_EQ(
      read(changed("deepseek-v3", "\"num_nextn_predict_layers\": 1", "\"num_nextn_predict_layers\": 0")),
      read(published_json("deepseek-v3")))
      << "layers that predict further tokens are left out";
}

// Qwen's layers have a window from max_window_layers on: all of 80, or none.
TEST(HuggingFaceTypes, AWindowIsOfAllLayersOrRefused) {
  const auto windowed = [](std::int64_t first_layer) {
    std::string text = changed("qwen2-72b", "\"use_sliding_window\": false", "\"use_sliding_window\": true");
    const std::string published = "\"max_window_layers\": 80";
    const std::string wanted = "\"max_window_layers\": " + std::to_string(first_layer);
    text.replace(text.find(published), published.size(), wanted);
    return read_hugging_face_text(text, "c.json");
  };
  EXPECT_EQ(windowed(0)->sliding_window, 131072);
  EXPECT_FALSE(windowed(80)->sliding_window);
  EXPECT_FALSE(
      read(changed("qwen2-72b", "\"max_window_layers\": 80", "\"max_window_layers\": 0")).sliding_window)
      << "not used";
  const auto some = windowed(79);
  ASSERT_FALSE(some);
  EXPECT_EQ(some.error().message,
            "c.json:8: max_window_layers: \"79\" is not supported with use_sliding_window (allowed: 0, or 80 "
            "and above)");
}

struct WrongField {
  const char* name;
  const char* from;
  const char* to;
  const char* message;  ///< what it ends with
};

TEST(HuggingFaceTypes, RefuseInOneLineWhatCannotBeModelled) {
  const std::vector<WrongField> table = {
      {"opt-66b", "\"word_embed_proj_dim\": 9216", "\"word_embed_proj_dim\": 512",
       "c.json:15: word_embed_proj_dim: \"512\" is not supported (allowed: 9216)"},
      {"opt-66b", "\"do_layer_norm_before\": true", "\"do_layer_norm_before\": false",
       "c.json:4: do_layer_norm_before: \"false\" is not supported (allowed: true)"},
      {"opt-66b", "\"dropout\": 0.1", "\"layer_norm_elementwise_affine\": false",
       "c.json:5: layer_norm_elementwise_affine: \"false\" is not supported (allowed: true)"},
      {"opt-175b", "\"_remove_final_layer_norm\": false", "\"_remove_final_layer_norm\": true",
       "c.json:2: _remove_final_layer_norm: \"true\" is not supported (allowed: false)"},
      {"opt-66b", "\"relu\"", "\"swish\"",
       "c.json:2: activation_function: \"swish\" is not supported (allowed: relu, gelu_new, gelu, gelu_fast, "
       "gelu_pytorch_tanh, gelu_accurate, gelu_10)"},
      {"gpt-neox-20b", "\"use_cache\": true", "\"attention_bias\": false",
       "c.json:16: attention_bias: \"false\" is not supported (allowed: true)"},
      {"gpt-neox-20b", "0.25", "0.27",
       "c.json:14: rotary_pct: 25 (allowed: an even number from 2 to the head dimension 96)"},
      {"gpt-neox-20b", "0.25", "1.5", "c.json:14: rotary_pct: \"1.5\" is out of range (allowed: 0 to 1)"},
      {"gpt-neox-20b", "6144", "6145",
       "c.json:5: hidden_size: 6145 is not divisible by num_attention_heads 64"},
      {"bloom-176b", "\"apply_residual_connection_post_layernorm\": false",
       "\"apply_residual_connection_post_layernorm\": true",
       "c.json:2: apply_residual_connection_post_layernorm: \"true\" is not supported (allowed: false)"},
      {"bloom-176b", "  \"n_layer\": 70,\n", "",
       "c.json:1: key \"n_layer\" is missing (allowed: a whole number from 1 to 16777216)"},
      {"mistral-7b", "silu", "gelu", "c.json:3: hidden_act: \"gelu\" is not supported (allowed: silu)"},
      {"mistral-7b", "\"rope_theta\"", "\"head_dim\": 81, \"rope_theta\"",
       "c.json:13: head_dim: 81 is odd (allowed with rotary positions: even)"},
      {"mixtral-8x7b", "\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": 9",
       "c.json:9: num_experts_per_tok: 9 (allowed: 1 to 8)"},
      {"qwen3-235b-a22b", "\"mlp_only_layers\": []", "\"mlp_only_layers\": [0, 2]",
       "c.json:11: mlp_only_layers: layer 2 is not supported (allowed: the first layers, from 0 without a "
       "gap)"},
      {"qwen3-235b-a22b", "\"attention_bias\": false", "\"attention_bias\": true",
       "c.json:3: attention_bias: \"true\" is not supported (allowed: false)"},
      {"deepseek-v3", "\"moe_layer_freq\": 1", "\"moe_layer_freq\": 2",
       "c.json:12: moe_layer_freq: \"2\" is not supported (allowed: 1)"},
      {"deepseek-v3", "noaux_tc", "greedy", "topk_method: \"greedy\" is not supported (allowed: noaux_tc)"},
      {"deepseek-v3", "\"first_k_dense_replace\": 3", "\"first_k_dense_replace\": 62",
       "c.json:4: first_k_dense_replace: 62 (allowed: 0 to 61)"},
      {"deepseek-v3", "\"kv_lora_rank\": 512", "\"kv_lora_rank\": 0",
       "c.json:8: kv_lora_rank: \"0\" is out of range (allowed: 1 to 16777216)"},
      {"deepseek-v3", "\"quant_method\": \"fp8\"", "\"quant_method\": \"gptq\"",
       "quantization_config: quant_method \"gptq\" is not supported (allowed: fp8, or no "
       "quantization_config)"},
      {"mistral-7b", "\"rope_theta\"", "\"quantization_config\": {\"bits\": 4}, \"rope_theta\"",
       "quantization_config: quant_method \"\" is not supported (allowed: fp8, or no quantization_config)"},
      {"mistral-7b", "\"mistral\"", "\"falcon\"",
       "model_type: \"falcon\" is not supported (allowed: gpt2, gpt_neox, opt, bloom, llama, mistral, qwen2, "
       "mixtral, qwen3_moe, deepseek_v3)"},
  };
  for (const WrongField& wrong : table) {
    const Result<TransformerConfig> config =
        read_hugging_face_text(changed(wrong.name, wrong.from, wrong.to), "c.json");
    ASSERT_FALSE(config) << wrong.message;
    EXPECT_TRUE(config.error().message.ends_with(wrong.message))
        << config.error().message << "\nnot " << wrong.message;
    EXPECT_TRUE(config.error().message.starts_with("c.json:")) << config.error().message;
  }
}

}  // namespace
}  // namespace portolan
