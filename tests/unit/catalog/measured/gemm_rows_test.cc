#include "catalog/measured/gemm_rows.h"

#include <gtest/gtest.h>

#include <string>

namespace portolan {
namespace {

TEST(GemmRows, ReadsForwardProductsAndCountsTheOthers) {
  const auto table = read_gemm_rows(
      "gpu,op,direction,M,N,K,batch,dtype,time_ms,tflops\n"
      "A100-SXM,gemm,fwd,4096,8192,1024,,fp16,0.5,\n"
      "A100-PCIe,gemm,fwd,128,256,512,4,\"bf16 in, fp32 out\",,200\n"
      "A100-SXM,gemm,dgrad,4096,8192,1024,,fp16,0.5,\n"
      "A100-SXM,layernorm,fwd,4096,8192,1024,,fp16,0.5,\n"
      "A100-SXM,gemm,fwd,4096,,1024,,fp16,0.5,\n"
      "A100-SXM,gemm,,4096,1,1024,,,,\n",
      "t.csv");
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->num_others, 4);
  ASSERT_EQ(table->rows.size(), 2U);
  const GemmRow& first = table->rows[0];
  EXPECT_EQ(first.gpu, "A100-SXM");
  EXPECT_EQ(first.line, 2);
  EXPECT_EQ(first.batch, 1);
  EXPECT_EQ(first.m, 4096);
  EXPECT_EQ(first.n, 8192);
  EXPECT_EQ(first.k, 1024);
  EXPECT_EQ(first.precision, Precision::kFp16);
  EXPECT_DOUBLE_EQ(first.time.value, 0.5e-3);
  const GemmRow& second = table->rows[1];
  EXPECT_EQ(second.precision, Precision::kBf16);
  EXPECT_DOUBLE_EQ(second.time.value, 2.0 * 4 * 128 * 256 * 512 / 200e12);
}

TEST(GemmRows, SizesAndATimeAreAllThatATableNeeds) {
  const auto table = read_gemm_rows("tflops,K,N,M\n100,3,2,1\n", "t.csv");
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->rows.at(0).m, 1);
  EXPECT_EQ(table->rows.at(0).n, 2);
  EXPECT_EQ(table->rows.at(0).k, 3);
}

TEST(GemmRows, SaysWhereAndWhatIsWrongInOneLine) {
  const struct {
    const char* text;
    const char* message;
  } table[] = {
      {"M,N,tflops\n1,1,1\n", "t.csv: has no column K"},
      {"M,N,K\n1,1,1\n", "t.csv: has no column time_ms and none tflops"},
      {"M,N,K,tflops\n0,1,1,1\n", "t.csv:2: M: \"0\""},
      {"M,N,K,tflops\n1,1,1,-1\n", "t.csv:2: tflops: \"-1\""},
      {"M,N,K,tflops,dtype\n1,1,1,1,int8\n",
       "t.csv:2: dtype: \"int8\" is not known (allowed: fp16, bf16, fp8, tf32, fp32, or nothing)"},
  };
  for (const auto& [text, message] : table) {
    const auto read = read_gemm_rows(text, "t.csv");
    ASSERT_FALSE(read) << text;
    EXPECT_TRUE(read.error().message.starts_with(message)) << read.error().message;
  }
}

}  // namespace
}  // namespace portolan
