#include "catalog/measured/attention_rows.h"

#include <gtest/gtest.h>

#include <string>

namespace portolan {
namespace {

TEST(AttentionRows, ReadsKernelsOfBothVersionsAndCountsTheOthers) {
  const auto table = read_attention_rows(
      "gpu,op,shape,tflops\n"
      "A100,attention FA1,seq=512 batch=32 heads=32 headdim=64 causal=no,91\n"
      "A100,attention FATriton,seq=16384 causal=yes,80\n"
      "A100,attention FA2,causal=yes seq=2048,155\n"
      "A100,attention FA2,seq=2048 causal=yes,\n"
      "A100,attention xformers,whatever,75\n"
      "A100,gemm,,200\n",
      "t.csv");
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->num_others, 3);
  ASSERT_EQ(table->rows.size(), 3U);
  EXPECT_EQ(table->rows[0].version, 1);
  EXPECT_EQ(table->rows[0].sequence, 512);
  EXPECT_FALSE(table->rows[0].causal);
  EXPECT_EQ(table->rows[0].rate, FlopsPerSecond(91e12));
  EXPECT_EQ(table->rows[1].version, 1);
  EXPECT_TRUE(table->rows[1].causal);
  EXPECT_EQ(table->rows[2].version, 2);
  EXPECT_EQ(table->rows[2].sequence, 2048);
  EXPECT_EQ(table->rows[2].line, 4);
}

TEST(AttentionRows, SaysWhereAndWhatIsWrongInOneLine) {
  const struct {
    const char* row;
    const char* message;
  } table[] = {
      {"attention FA2,causal=yes,1", "t.csv:2: shape: \"causal=yes\" has no seq=N (allowed: 1 to 16777216)"},
      {"attention FA2,seq=0 causal=yes,1", "t.csv:2: shape: \"seq=0 causal=yes\" has no seq=N"},
      {"attention FA2,seq=5x causal=yes,1", "t.csv:2: shape: \"seq=5x causal=yes\" has no seq=N"},
      {"attention FA2,seq=512 causal=maybe,1", "t.csv:2: shape: \"seq=512 causal=maybe\" has no causal=yes"},
      {"attention FA2,seq=512 causal=no,-1", "t.csv:2: tflops: \"-1\""},
  };
  for (const auto& [row, message] : table) {
    const auto read = read_attention_rows(std::string("op,shape,tflops\n") + row + "\n", "t.csv");
    ASSERT_FALSE(read) << row;
    EXPECT_TRUE(read.error().message.starts_with(message)) << read.error().message;
  }
  EXPECT_EQ(read_attention_rows("op,shape\n", "t.csv").error().message, "t.csv: has no column tflops");
}

}  // namespace
}  // namespace portolan
