#include "catalog/measured/training_rows.h"

#include <gtest/gtest.h>

#include <string>

namespace portolan {
namespace {

/// A table of one row with one column besides `id`.
Result<std::vector<TrainingRow>> with(const std::string& column, const std::string& value) {
  return read_training_rows("id," + column + "\nr1,\"" + value + "\"\n", "t.csv");
}

TEST(TrainingRows, AnEmptyCellIsUnknownNeverZero) {
  const auto rows =
      read_training_rows("sec_per_iter,id,tp,pp,seq_parallel,strange\n12.5,r1,8,,,x\n", "t.csv");
  ASSERT_TRUE(rows) << rows.error().message;
  ASSERT_EQ(rows->size(), 1U);
  const TrainingRow& row = rows->front();
  EXPECT_EQ(row.id, "r1");
  EXPECT_EQ(row.line, 2);
  EXPECT_EQ(row.step_time, Seconds(12.5));
  EXPECT_EQ(row.tensor_parallel, 8);
  EXPECT_EQ(row.pipeline_parallel, std::nullopt);
  EXPECT_EQ(row.data_parallel, std::nullopt);
  EXPECT_EQ(row.sequence_parallel, std::nullopt);
  EXPECT_EQ(row.zero_stage, std::nullopt);
  EXPECT_EQ(row.recompute, "");
}

TEST(TrainingRows, ReadsWhatFrameworksCallSharding) {
  const struct {
    const char* text;
    int stage;
    bool hybrid = false;
    bool offload = false;
  } table[] = {{"0", 0},
               {"1 (distributed optimizer)", 1},
               {"1-equivalent (BF16Optimizer)", 1},
               {"ZeRO-3", 3},
               {"ZeRO-2-like", 2},
               {"FSDP FULL_SHARD (mixed precision PURE)", 3},
               {"FSDP SHARD_GRAD_OP (mixed precision DEFAULT)", 3},
               {"FSDP2 (ZeRO-3)", 3},
               {"HSDP", 3, true},
               {"FSDP full shard + CPU offload", 3, false, true}};
  for (const auto& expected : table) {
    const auto rows = with("zero_fsdp", expected.text);
    ASSERT_TRUE(rows) << rows.error().message;
    EXPECT_EQ(rows->front().zero_stage, expected.stage) << expected.text;
    EXPECT_EQ(rows->front().hybrid_sharding, expected.hybrid) << expected.text;
    EXPECT_EQ(rows->front().offload, expected.offload) << expected.text;
  }
}

TEST(TrainingRows, KnowsVersionsOfFlashAttention) {
  struct Row {
    const char* text;
    std::optional<bool> flash;
    std::optional<std::int64_t> version;
    bool of_pytorch;
  };
  for (const Row& expected :
       {Row{"", {}, {}, false}, Row{"no", false, {}, false}, Row{"yes", true, {}, false},
        Row{"v1", true, 1, false}, Row{"yes (v2)", true, 2, false}, Row{"yes (SDPA)", true, {}, true},
        Row{"yes (SDPA v2)", true, 2, true}}) {
    const auto rows = with("flash_attn", expected.text);
    ASSERT_TRUE(rows) << rows.error().message;
    EXPECT_EQ(rows->front().flash_attention, expected.flash) << expected.text;
    EXPECT_EQ(rows->front().flash_version, expected.version) << expected.text;
    EXPECT_EQ(rows->front().flash_of_pytorch, expected.of_pytorch) << expected.text;
  }
}

TEST(TrainingRows, ACellThatSaysNothingKnownSpoilsItsRowAlone) {
  const auto reason = [&](const std::string& column, const std::string& cell) {
    const auto rows = with(column, cell);
    return rows ? rows->front().unreadable : rows.error().message;
  };
  EXPECT_EQ(reason("zero_fsdp", "4"),
            "t.csv:2: zero_fsdp: \"4\" is not known (allowed: 0 to 3, ZeRO-0 to ZeRO-3, DDP, FSDP, HSDP, or "
            "nothing)");
  EXPECT_EQ(reason("precision", "int4"),
            "t.csv:2: precision: \"int4\" is not known (allowed: fp16, bf16, fp8, tf32, fp32, or nothing)");
  EXPECT_EQ(reason("flash_attn", "maybe"),
            "t.csv:2: flash_attn: \"maybe\" is not known (allowed: yes, no, v1, v2, v3, or nothing)");
  EXPECT_EQ(reason("tp", "0"),
            "t.csv:2: tp: \"0\" is not a whole number (allowed: 1 to 16777216, or nothing)");
  EXPECT_EQ(reason("zero_fsdp", "zero1"), "");
  EXPECT_EQ(reason("zero_fsdp", "DDP"), "");
  const auto rows = read_training_rows("id,tp\nr1,many\nr2,4\n", "t.csv");
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_EQ(rows->at(0).unreadable,
            "t.csv:2: tp: \"many\" is not a whole number (allowed: 1 to 16777216, or nothing)");
  EXPECT_EQ(rows->at(1).unreadable, "");
  EXPECT_EQ(rows->at(1).tensor_parallel, 4);
}

TEST(TrainingRows, SaysWhereAndWhatIsWrongInOneLine) {
  EXPECT_EQ(read_training_rows("id\nr1\nr1\n", "t.csv").error().message,
            "t.csv:3: id: \"r1\" is there twice");
  EXPECT_EQ(read_training_rows("tp\n8\n", "t.csv").error().message, "t.csv: has no column id");
}

}  // namespace
}  // namespace portolan
