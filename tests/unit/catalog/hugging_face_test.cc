#include "catalog/hugging_face.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/catalog/replaced.h"

namespace portolan {
namespace {

const std::string kGpt2 = R"({
  "activation_function": "gelu_new",
  "architectures": ["GPT2LMHeadModel"],
  "attn_pdrop": 0.1,
  "bos_token_id": 50256,
  "initializer_range": 0.02,
  "layer_norm_epsilon": 1e-05,
  "model_type": "gpt2",
  "n_ctx": 1024,
  "n_embd": 768,
  "n_head": 12,
  "n_inner": null,
  "n_layer": 12,
  "n_positions": 1024,
  "scale_attn_weights": true,
  "task_specific_params": {"text-generation": {"do_sample": true, "max_length": 50}},
  "vocab_size": 50257
}
)";

const std::string kLlama = R"({
  "architectures": ["LlamaForCausalLM"],
  "attention_bias": false,
  "head_dim": 128,
  "hidden_act": "silu",
  "hidden_size": 4096,
  "initializer_range": 0.02,
  "intermediate_size": 14336,
  "max_position_embeddings": 131072,
  "mlp_bias": false,
  "model_type": "llama",
  "num_attention_heads": 32,
  "num_hidden_layers": 32,
  "num_key_value_heads": 8,
  "rms_norm_eps": 1e-05,
  "rope_scaling": {"factor": 8.0, "rope_type": "llama3"},
  "rope_theta": 500000.0,
  "tie_word_embeddings": false,
  "torch_dtype": "bfloat16",
  "vocab_size": 128256
}
)";

TEST(HuggingFace, ReadsGpt2) {
  const Result<TransformerConfig> config = read_hugging_face_text(kGpt2, "hub/gpt2-small/config.json");
  ASSERT_TRUE(config) << config.error().message;
  TransformerConfig expected;
  expected.name = "gpt2-small";
  expected.num_layers = 12;
  expected.hidden_size = 768;
  expected.num_heads = 12;
  expected.num_kv_heads = 12;
  expected.ffn_size = 3072;
  expected.vocab_size = 50257;
  expected.max_positions = 1024;
  EXPECT_EQ(*config, expected);
}

TEST(HuggingFace, ReadsLlama) {
  const Result<TransformerConfig> config = read_hugging_face_text(kLlama, "config.json");
  ASSERT_TRUE(config) << config.error().message;
  TransformerConfig expected;
  expected.name = "llama";
  expected.num_layers = 32;
  expected.hidden_size = 4096;
  expected.num_heads = 32;
  expected.num_kv_heads = 8;
  expected.ffn_size = 14336;
  expected.vocab_size = 128256;
  expected.max_positions = 131072;
  expected.normalization = Normalization::kRmsNorm;
  expected.activation = Activation::kSwiGlu;
  expected.position = PositionEncoding::kRotary;
  expected.linear_bias = false;
  expected.tied_embeddings = false;
  expected.rotary_theta = 500000;
  EXPECT_EQ(*config, expected);
}

TEST(HuggingFace, KnowsTheDefaultsOfOlderFiles) {
  const std::string old =
      R"({"model_type": "llama", "hidden_size": 64, "intermediate_size": 100, "num_attention_heads": 4,
    "num_hidden_layers": 2, "vocab_size": 100})";
  const Result<TransformerConfig> llama = read_hugging_face_text(old, "config.json");
  ASSERT_TRUE(llama) << llama.error().message;
  EXPECT_EQ(llama->num_kv_heads, 4);
  EXPECT_EQ(llama->max_positions, 2048);
  EXPECT_EQ(llama->norm_epsilon, 1e-6);
  EXPECT_EQ(llama->rotary_theta, 10000);
  const std::string ctx = replaced(kGpt2, "  \"n_positions\": 1024,\n", "");
  EXPECT_EQ(read_hugging_face_text(ctx, "config.json")->max_positions, 1024);
  EXPECT_FALSE(read_hugging_face_text(
                   replaced(kGpt2, "\"n_layer\"", "\"tie_word_embeddings\": false, \"n_layer\""), "c.json")
                   ->tied_embeddings);
  EXPECT_EQ(read_hugging_face_text(replaced(kGpt2, "null", "1000"), "c.json")->ffn_size, 1000);
}

struct Wrong {
  std::string text;
  std::string message;
};

TEST(HuggingFace, SaysWhereAndWhatIsWrongInOneLine) {
  const std::vector<Wrong> table = {
      {"", "c.json: is empty"},
      {"{",
       "c.json:1:2: is not JSON: syntax error while parsing object key - unexpected end of input; expected "
       "string literal"},
      {"{\"a\": 1,\n \"b\" 2}",
       "c.json:2:6: is not JSON: syntax error while parsing object separator - unexpected number literal; "
       "expected ':'"},
      {std::string("\0\1", 2), "c.json:1: is not text: byte 0x00 (allowed: UTF-8)"},
      {"{\"a\": 1e999}", "c.json:1:11: is not JSON: number overflow parsing '1e999'"},
      {"[]", "c.json:1: is not a mapping (allowed: lines of \"key: value\")"},
      {"{}",
       "c.json:1: key \"model_type\" is missing or empty (allowed: gpt2, gpt_neox, opt, bloom, llama, "
       "mistral, qwen2, mixtral, "
       "qwen3_moe, deepseek_v3)"},
      {"{\"model_type\": 7}", "c.json:1: model_type: \"7\" is not a text (put it in quotes)"},
      {"{\"model_type\":\n \"bert\"}",
       "c.json:1: model_type: \"bert\" is not supported (allowed: gpt2, gpt_neox, opt, bloom, llama, "
       "mistral, qwen2, mixtral, "
       "qwen3_moe, deepseek_v3)"},
      {"{\"model_type\": \"gpt2\", \"model_type\": \"llama\"}", "c.json:1: model_type: is there twice"},
      {replaced(kGpt2, "768", "\"768\""),
       "c.json:10: n_embd: \"768\" is a text, not a whole number (leave the quotes out)"},
      {replaced(kGpt2, "768", "767"), "c.json:10: n_embd: 767 is not divisible by n_head 12"},
      {replaced(kGpt2, "gelu_new", "relu"),
       "c.json:2: activation_function: \"relu\" is not supported (allowed: gelu_new, gelu, gelu_fast, "
       "gelu_pytorch_tanh, gelu_accurate, gelu_10)"},
      {replaced(kGpt2, "  \"n_layer\": 12,\n", ""),
       "c.json:1: key \"n_layer\" is missing (allowed: a whole number from 1 to 16777216)"},
      {replaced(kLlama, "\"attention_bias\": false", "\"attention_bias\": true"),
       "c.json:3: attention_bias: \"true\" is not supported (allowed: false)"},
      {replaced(kLlama, "\"mlp_bias\": false", "\"mlp_bias\": true"),
       "c.json:10: mlp_bias: \"true\" is not supported (allowed: false)"},
      {replaced(kLlama, "silu", "gelu"), "c.json:5: hidden_act: \"gelu\" is not supported (allowed: silu)"},
      {replaced(kLlama, "\"head_dim\": 128", "\"head_dim\": 63"),
       "c.json:4: head_dim: 63 is odd (allowed with rotary positions: even)"},
      {replaced(kLlama, "\"num_key_value_heads\": 8", "\"num_key_value_heads\": 5"),
       "c.json:14: num_key_value_heads: 5 does not divide num_attention_heads 32"},
      {"{\"a\":" + std::string(1000000, '['), "c.json:1: nested more than 64 levels deep"},
  };
  for (const Wrong& wrong : table) {
    const Result<TransformerConfig> config = read_hugging_face_text(wrong.text, "c.json");
    ASSERT_FALSE(config) << wrong.message;
    EXPECT_EQ(config.error().message, wrong.message);
  }
}

}  // namespace
}  // namespace portolan
