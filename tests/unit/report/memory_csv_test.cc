#include "report/memory_csv.h"

#include <gtest/gtest.h>

namespace portolan {
namespace {

TEST(MemoryCsv, OneLineARow) {
  Program program;
  program.stages.resize(2);
  program.stages[1].templates = {{"forward 0", 0, {}}, {"optimizer", 0, {}}};
  program.stages[1].order = {{0, 3}, {1, 0}};
  const std::vector<SlotMemory> rows = {
      {1, 0, Seconds(0), Seconds(0.1), Bytes(1'000), Bytes(2'000'000'000'000)},
      {1, 1, Seconds(0.1), Seconds(1.0 / 3), Bytes(0), Bytes(512), Bytes(7)},
  };
  EXPECT_EQ(memory_csv(rows, program),
            "stage,slot,template,microbatch,start_s,end_s,allocated_bytes,reserved_bytes,host_bytes\n"
            "1,0,forward 0,3,0,0.1,1000,2000000000000,0\n"
            "1,1,optimizer,0,0.1,0.3333333333333333,0,512,7\n");
  EXPECT_EQ(memory_csv({}, program),
            "stage,slot,template,microbatch,start_s,end_s,allocated_bytes,reserved_bytes,host_bytes\n");
}

}  // namespace
}  // namespace portolan
