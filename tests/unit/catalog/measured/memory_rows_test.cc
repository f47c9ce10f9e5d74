#include "catalog/measured/memory_rows.h"

#include <gtest/gtest.h>

namespace portolan {
namespace {

TEST(MemoryRows, ReadsWhatWasCountedInItsUnit) {
  const auto rows = read_memory_rows(
      "id,kind,mem_gb,unit,model\n"
      "a,measured peak,67,GB (nvidia-smi),x\n"
      "b,measured peak,82.5,GiB (torch max reserved),x\n"
      "c,,2,GB,x\n"
      "d,measured,1024,MiB (torch max allocated),x\n"
      "e,measured peak,OOM,GB (nvidia-smi),x\n"
      "f,analytic (activations),1.9,%,x\n"
      "g,measured peak,,GB,x\n",
      "t.csv");
  ASSERT_TRUE(rows) << rows.error().message;
  ASSERT_EQ(rows->size(), 7U);
  EXPECT_EQ(rows->at(0).peak, Bytes(67'000 * kMebi));
  EXPECT_EQ(rows->at(0).counter, MemoryCounter::kDevice);
  EXPECT_EQ(rows->at(0).line, 2);
  EXPECT_EQ(rows->at(1).peak, Bytes(165 * kGibi / 2));
  EXPECT_EQ(rows->at(1).counter, MemoryCounter::kReserved);
  EXPECT_EQ(rows->at(2).peak, Bytes(2'000'000'000));
  EXPECT_EQ(rows->at(3).peak, Bytes(kGibi));
  EXPECT_EQ(rows->at(3).counter, MemoryCounter::kAllocated);
  EXPECT_TRUE(rows->at(4).out_of_memory);
  EXPECT_TRUE(rows->at(4).is_measured);
  EXPECT_FALSE(rows->at(5).is_measured);
  EXPECT_FALSE(rows->at(6).is_measured);
}

TEST(MemoryRows, SaysWhereAndWhatIsWrongInOneLine) {
  const struct {
    const char* text;
    const char* message;
  } table[] = {
      {"id,mem_gb\na,1\n", "t.csv: has no column unit"},
      {"id,mem_gb,unit\n,1,GB\n", "t.csv:2: id: \"\" is empty"},
      {"id,mem_gb,unit\na,0,GB\n", "t.csv:2: mem_gb: \"0\""},
      {"id,mem_gb,unit\na,many,GB\n", "t.csv:2: mem_gb: \"many\""},
      {"id,mem_gb,unit\na,1,stone\n", "t.csv:2: unit: \"stone\" is not known (allowed: GB, GiB, MB, MiB)"},
  };
  for (const auto& [text, message] : table) {
    const auto read = read_memory_rows(text, "t.csv");
    ASSERT_FALSE(read) << text;
    EXPECT_TRUE(read.error().message.starts_with(message)) << read.error().message;
    EXPECT_EQ(read.error().message.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace portolan
