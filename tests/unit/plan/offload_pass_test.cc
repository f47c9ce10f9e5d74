#include "plan/offload_pass.h"

#include <gtest/gtest.h>

namespace portolan {
namespace {

OffloadedBlocks layer(double forward, double backward, double copy) {
  return {
      .is_layer = true, .forward = Seconds(forward), .backward = Seconds(backward), .copy = Seconds(copy)};
}

TEST(OffloadPass, NothingWaitsForShortCopies) {
  // Layers of 2 and 4: a copy of 1 hides beside the next layer, and what comes back first beside the slot
  // before.
  const OffloadWaits waits = offload_waits(std::vector(4, layer(2, 4, 1)));
  for (const PassWaits& pass : {waits.first, waits.in_turn, waits.in_runs}) {
    EXPECT_DOUBLE_EQ(pass.forward.value, 0);
    EXPECT_DOUBLE_EQ(pass.backward.value, 0);
  }
  EXPECT_DOUBLE_EQ(waits.copies.value, 4);
}

TEST(OffloadPass, LongCopiesByHand) {
  // Forward of 1, copies of 3. Alone: layers begin at 0, 1, 4 (the first copy ends), 7 (the second does).
  const OffloadWaits waits = offload_waits(std::vector(4, layer(1, 6, 3)));
  EXPECT_DOUBLE_EQ(waits.first.forward.value, 2 + 2);
  // The third copy ends at 10, the fourth at 13. Backwards begin when all is over and the first layer is
  // there.
  EXPECT_DOUBLE_EQ(waits.first.backward.value, 0);
  // Forward after forward takes the lane's 4 x 3 instead of 4.
  EXPECT_DOUBLE_EQ(waits.in_runs.forward.value, 8);
  // Backward of 6 a layer fetches the next in 3.
  EXPECT_DOUBLE_EQ(waits.in_runs.backward.value, 0);
}

// Equal blocks told together are those told one by one.
TEST(OffloadPass, OfEqualBlocksTheNumberIsEnough) {
  for (const double copy : {0.5, 2.0, 3.0, 7.0}) {
    for (const std::int32_t count : {1, 2, 3, 7}) {
      OffloadedBlocks equal = layer(1.5, 2.5, copy);
      std::vector<OffloadedBlocks> single(static_cast<std::size_t>(count), equal);
      equal.count = count;
      const OffloadWaits told = offload_waits({equal}), apart = offload_waits(single);
      for (const auto pass : {&OffloadWaits::first, &OffloadWaits::in_turn, &OffloadWaits::in_runs}) {
        EXPECT_DOUBLE_EQ((told.*pass).forward.value, (apart.*pass).forward.value);
        EXPECT_DOUBLE_EQ((told.*pass).backward.value, (apart.*pass).backward.value);
      }
      EXPECT_DOUBLE_EQ(told.copies.value, copy * count);
    }
  }
}

TEST(OffloadPass, BehindTheHeadsForwardItsOwnCopiesComeBack) {
  // One layer of 1 with a copy of 2, which stays where it is while the head runs 1 and 1: fetched at its
  // copy's end, 3, until 5; backward could have begun at 3.
  const OffloadedBlocks head{.is_layer = false, .forward = Seconds(1), .backward = Seconds(1), .copy = {}};
  const OffloadWaits waits = offload_waits({layer(1, 1, 2), head});
  EXPECT_DOUBLE_EQ(waits.first.forward.value, 0);
  EXPECT_DOUBLE_EQ(waits.first.backward.value, 2);
}

TEST(OffloadPass, StreamedStatesByHand) {
  // States of 2 a block each way, updates of 1, three blocks. Come at 2, 4, 6; updated at 3, 5, 7; gone at 5,
  // 7, 9. With nothing before or after: 9 instead of 3.
  const std::vector<StreamedBlock> blocks(3, {Seconds(1), Seconds(2)});
  EXPECT_DOUBLE_EQ(streaming_wait(blocks, Seconds(0), Seconds(0)).value, 6);
  // Behind sums of 10 two of them are there; the third comes when the first is updated, at 11.
  // Updated at 11, 12, 14 (there at 13); gone at 13, 15, 17, where a gather of 1 would have ended at 14.
  EXPECT_DOUBLE_EQ(streaming_wait(blocks, Seconds(10), Seconds(1)).value, 3);
  EXPECT_DOUBLE_EQ(streaming_wait({}, Seconds(10), Seconds(1)).value, 0);
}

}  // namespace
}  // namespace portolan
