#include "catalog/measured/collective_rows.h"

#include <gtest/gtest.h>

#include <string>

namespace portolan {
namespace {

TEST(CollectiveRows, ReadsTimesOrBandwidthsAndCountsTheOthers) {
  const auto table = read_collective_rows(
      "gpu,nodes,num_gpus,inter_link,collective,size_bytes,time_us,algbw_GBps,busbw_GBps\n"
      "A100,1,8,,all_reduce,1000000,50,,\n"
      "A100,2,16,HDR,all_reduce,1000000000,,,93.75\n"
      "A100,,4,,all_gather,4000000000,,80,\n"
      "A100,2,2,HDR,send_recv,8,24,,\n"
      "A100,2,16,HDR,all_reduce,1G-8G,,,91\n"
      "A100,2,16,HDR,all_reduce,1000,,,>175\n"
      "A100,1,,,all_reduce,1000,5,,\n"
      "A100,1,8,,reduce,1000,5,,\n",
      "t.csv");
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->num_others, 4);
  ASSERT_EQ(table->rows.size(), 4U);
  EXPECT_EQ(table->rows[0].kind, CollectiveKind::kAllReduce);
  EXPECT_EQ(table->rows[0].num_ranks, 8);
  EXPECT_EQ(table->rows[0].num_nodes, 1);
  EXPECT_DOUBLE_EQ(table->rows[0].time.value, 50e-6);
  // 2 * 15/16 of 1 GB at 93.75 GB/s.
  EXPECT_DOUBLE_EQ(table->rows[1].time.value, 0.02);
  EXPECT_EQ(table->rows[1].inter_link, "HDR");
  EXPECT_EQ(table->rows[1].line, 3);
  EXPECT_EQ(table->rows[2].kind, CollectiveKind::kAllGather);
  EXPECT_EQ(table->rows[2].num_nodes, 1);
  EXPECT_DOUBLE_EQ(table->rows[2].time.value, 0.05);
  EXPECT_EQ(table->rows[3].kind, CollectiveKind::kShift);
}

TEST(CollectiveRows, SaysWhereAndWhatIsWrongInOneLine) {
  const struct {
    const char* row;
    const char* message;
  } cases[] = {
      {"3,16,all_reduce,8,1", "t.csv:2: nodes: \"3\" does not divide num_gpus 16"},
      {"1,1,all_reduce,8,1", "t.csv:2: num_gpus: \"1\" is not a whole number (allowed: 2 to 1000000"},
      {"x,2,all_reduce,8,1", "t.csv:2: nodes: \"x\" is not a whole number"},
      {"1,2,all_reduce,0,1", "t.csv:2: size_bytes: \"0\" is not a whole number (allowed: 1 to"},
      {"1,2,all_reduce,8,-1", "t.csv:2: time_us: \"-1\" is not a number (allowed: 0.001 to"},
  };
  for (const auto& [row, message] : cases) {
    const auto read = read_collective_rows(
        std::string("nodes,num_gpus,collective,size_bytes,time_us\n") + row + "\n", "t.csv");
    ASSERT_FALSE(read) << row;
    EXPECT_TRUE(read.error().message.starts_with(message)) << read.error().message;
  }
  EXPECT_EQ(read_collective_rows("collective,num_gpus\n", "t.csv").error().message,
            "t.csv: has no column size_bytes");
  EXPECT_EQ(read_collective_rows("collective,num_gpus,size_bytes\n", "t.csv").error().message,
            "t.csv: has no column time_us, busbw_GBps or algbw_GBps");
}

}  // namespace
}  // namespace portolan
