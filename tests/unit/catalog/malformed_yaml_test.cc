#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "catalog/model_yaml.h"

namespace portolan {
namespace {

std::string error_of(const std::string& text) {
  const Result<TransformerConfig> model = read_model_text(text, "m.yaml");
  return model ? "accepted" : model.error().message;
}

struct Malformed {
  std::string text;
  std::string message;
};

TEST(MalformedYaml, IsOneLineWithItsPlace) {
  const std::vector<Malformed> table = {
      {"", "m.yaml: is empty"},
      {"# only a comment\n", "m.yaml: is empty"},
      {"---\n", "m.yaml:2: is not a mapping (allowed: lines of \"key: value\")"},
      {"just text\n", "m.yaml:1: \"just text\" is not a mapping (allowed: lines of \"key: value\")"},
      {"- a\n- b\n", "m.yaml:1: is not a mapping (allowed: lines of \"key: value\")"},
      {std::string("name: a\0b\n", 10), "m.yaml:1: is not text: byte 0x00 (allowed: UTF-8)"},
      {"\x7f\x45LF", "m.yaml:1: is not text: byte 0x7f (allowed: UTF-8)"},
      {"name: x\n\xff\xfe", "m.yaml:2: is not text: byte 0xff (allowed: UTF-8)"},
      {"name: \xc0\xaf\n", "m.yaml:1: is not text: byte 0xc0 (allowed: UTF-8)"},
      {"name: \xed\xa0\x80\n", "m.yaml:1: is not text: byte 0xed (allowed: UTF-8)"},
      {"name: a\n---\nname: b\n",
       "m.yaml:2: a second document begins (allowed: one, without \"---\" in between)"},
      {"name: &x a\n", "m.yaml:1: anchor \"&x\" is not allowed (write the value out)"},
      {"name: *x\n", "m.yaml:1:7: is not YAML: the referenced anchor is not defined"},
      {"name: !!python/object a\n", "m.yaml:1: tag \"tag:yaml.org,2002:python/object\" is not allowed"},
      {"name: {a: b\n", "m.yaml:2:1: is not YAML: end of map flow not found"},
      {"name: \"abc\n", "m.yaml:1: a quote is not closed"},
      {"name: \"abc", "m.yaml:1:11: is not YAML: illegal EOF in scalar"},
      {"name: 'it''s\n", "m.yaml:1: a quote is not closed"},
      {"? [a, b]\n: c\n", "m.yaml:1: a list or mapping is used as a key (allowed: a word)"},
      {"? {a: b}\n: c\n", "m.yaml:1: a list or mapping is used as a key (allowed: a word)"},
      {": c\n", "m.yaml:1: an empty key"},
      {"a: b\na: c\n", "m.yaml:2: a: is there twice"},
      {"\"a\\nb\": c\n",
       "m.yaml:1: a?b: unknown key (allowed: name, num_layers, hidden_size, num_heads, num_kv_heads, "
       "head_dim, activation, ffn_size, vocab_size, max_positions, normalization, position, rotary_dim, "
       "position_offset, sliding_window, linear_bias, qkv_bias, query_key_norm, embedding_norm, "
       "parallel_residual, experts, latent_attention, tied_embeddings, norm_epsilon, rotary_theta, "
       "initializer_std)"},
      {"<<: {name: x}\n",
       "m.yaml:1: <<: unknown key (allowed: name, num_layers, hidden_size, num_heads, num_kv_heads, "
       "head_dim, activation, ffn_size, vocab_size, max_positions, normalization, position, rotary_dim, "
       "position_offset, sliding_window, linear_bias, qkv_bias, query_key_norm, embedding_norm, "
       "parallel_residual, experts, latent_attention, tied_embeddings, norm_epsilon, rotary_theta, "
       "initializer_std)"},
  };
  for (const Malformed& malformed : table) {
    EXPECT_EQ(error_of(malformed.text), malformed.message);
  }
}

TEST(MalformedYaml, TabsAreAnErrorWithTheirLine) {
  const std::string message = error_of("name: x\n\tnum_layers: 2\n");
  EXPECT_TRUE(message.starts_with("m.yaml:")) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos);
  EXPECT_NE(message, "accepted");
}

TEST(MalformedYaml, DepthDoesNotOverflowTheStack) {
  for (const std::size_t depth : {std::size_t{65}, std::size_t{1000}, std::size_t{1000000}}) {
    EXPECT_TRUE(error_of("a: " + std::string(depth, '[')).starts_with("m.yaml:1")) << depth;
    EXPECT_TRUE(error_of("a: " + std::string(depth, '{')).starts_with("m.yaml:1")) << depth;
  }
  std::string nested;
  for (std::size_t i = 0; i < 1000; ++i) {
    nested += std::string(i, ' ') + "a:\n";
  }
  EXPECT_EQ(error_of(nested), "m.yaml:65: nested more than 64 levels deep");
}

TEST(MalformedYaml, AliasesCannotMultiply) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 20; ++i) {
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int copy = 0; copy < 9; ++copy) {
      bomb += (copy > 0 ? ", *a" : "*a") + std::to_string(i - 1);
    }
    bomb += "]\n";
  }
  EXPECT_EQ(error_of(bomb), "m.yaml:1: anchor \"&a0\" is not allowed (write the value out)");
}

TEST(MalformedYaml, HugeFilesAreRefused) {
  EXPECT_EQ(error_of(std::string(9U << 20U, 'a')), "m.yaml: is 9437184 bytes (allowed: up to 8388608)");
}

TEST(MalformedYaml, WindowsLinesAndAMarkAreFine) {
  const Result<TransformerConfig> model = read_model_text(
      "\xEF\xBB\xBFname: w\r\nnum_layers: 1\r\nhidden_size: 8\r\nnum_heads: 2\r\nvocab_size: "
      "10\r\nmax_positions: 4\r\n",
      "w.yaml");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->name, "w");
  EXPECT_EQ(model->ffn_size, 32);
}

}  // namespace
}  // namespace portolan
