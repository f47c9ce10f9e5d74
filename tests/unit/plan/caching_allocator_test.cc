#include "plan/caching_allocator.h"

#include <gtest/gtest.h>

#include <string>

namespace portolan {
namespace {

using Options = CachingAllocator::Options;

CachingAllocator::BlockId must(CachingAllocator& allocator, std::int64_t size) {
  const auto block = allocator.allocate(Bytes(size));
  EXPECT_TRUE(block.has_value()) << size;
  return block.value_or(0);
}

/// One request on a fresh allocator: the block's size, and what the driver gives.
struct FirstRequest {
  std::int64_t size, block, reserved;
};

TEST(CachingAllocator, SegmentsAndBlocksOfAFirstRequest) {
  const FirstRequest rows[] = {
      {1, 512, 2 * kMebi},
      {512, 512, 2 * kMebi},
      {513, 1024, 2 * kMebi},
      {kMebi, kMebi, 2 * kMebi},             // the largest of the small pool
      {kMebi + 1, kMebi + 512, 20 * kMebi},  // the smallest of the large one
      {10 * kMebi - 1, 10 * kMebi, 10 * kMebi},
      {10 * kMebi - 1000, 10 * kMebi - 512, 20 * kMebi},
      {10 * kMebi, 10 * kMebi, 10 * kMebi},
      {10 * kMebi + 1, 10 * kMebi + 512, 12 * kMebi},  // 2 MiB - 512 B are left: split off
      {11 * kMebi, 12 * kMebi, 12 * kMebi},            // 1 MiB is left: not split off
      {11 * kMebi - 512, 11 * kMebi - 512, 12 * kMebi},
      {30 * kMebi, 30 * kMebi, 30 * kMebi},
  };
  for (const FirstRequest& row : rows) {
    SCOPED_TRACE(row.size);
    CachingAllocator allocator(Options{});
    const auto block = must(allocator, row.size);
    EXPECT_EQ(allocator.size(block).value, row.block);
    EXPECT_EQ(allocator.allocated().value, row.block);
    EXPECT_EQ(allocator.reserved().value, row.reserved);
  }
}

TEST(CachingAllocator, TheSmallestBlockThatFitsIsTakenAndOfEqualOnesTheLowest) {
  CachingAllocator allocator(Options{});
  const auto a = must(allocator, 40 * kMebi), b = must(allocator, 30 * kMebi),
             c = must(allocator, 30 * kMebi);
  const std::int64_t second = allocator.address(b);
  allocator.free(c);
  allocator.free(a);
  allocator.free(b);
  EXPECT_EQ(allocator.address(must(allocator, 25 * kMebi)), second);  // 30 MiB before 40, the lower of two
  EXPECT_EQ(allocator.reserved().value, 100 * kMebi);
}

TEST(CachingAllocator, WhatIsLeftOfABlockServesOthersAndNeighboursMergeAgain) {
  CachingAllocator allocator(Options{});
  const auto a = must(allocator, 4 * kMebi), b = must(allocator, 6 * kMebi), c = must(allocator, 9 * kMebi);
  // 4 + 6 + 9 of 20 MiB: the last one keeps the MiB that is left, which is not above 1 MiB.
  EXPECT_EQ(allocator.size(c).value, 10 * kMebi);
  EXPECT_EQ(allocator.reserved().value, 20 * kMebi);
  EXPECT_EQ(allocator.blocks().size(), 3U);
  allocator.free(a);
  allocator.free(c);
  EXPECT_EQ(allocator.blocks().size(), 3U);
  allocator.free(b);
  EXPECT_EQ(allocator.blocks(), (std::vector<CachingAllocator::BlockState>{{0, 20 * kMebi, false}}));
  EXPECT_EQ(allocator.reserved().value, 20 * kMebi);  // kept
  EXPECT_EQ(allocator.size(must(allocator, 20 * kMebi)).value, 20 * kMebi);
  EXPECT_EQ(allocator.num_segment_changes(), 1);
}

TEST(CachingAllocator, FragmentsOfDifferentSegmentsDoNotMerge) {
  CachingAllocator allocator(Options{});
  allocator.free(must(allocator, 30 * kMebi));
  const auto kept = must(allocator, 12 * kMebi);  // of the 30: 18 left
  allocator.free(must(allocator, 20 * kMebi));    // a segment of its own
  must(allocator, 38 * kMebi);                    // 18 + 20 are free, in two segments
  EXPECT_EQ(allocator.reserved().value, 88 * kMebi);
  EXPECT_EQ(allocator.address(kept), 0);
}

TEST(CachingAllocator, PoolsDoNotHelpEachOther) {
  CachingAllocator allocator(Options{});
  allocator.free(must(allocator, 20 * kMebi));
  must(allocator, 1000);
  EXPECT_EQ(allocator.reserved().value, 22 * kMebi);
}

TEST(CachingAllocator, FreeSegmentsAreGivenBackWhenTheDriverHasNoMore) {
  CachingAllocator allocator(Options{.expandable_segments = false, .limit = Bytes(64 * kMebi)});
  const auto kept = must(allocator, 12 * kMebi);
  allocator.free(must(allocator, 20 * kMebi));
  allocator.free(must(allocator, 24 * kMebi));
  EXPECT_EQ(allocator.reserved().value, 56 * kMebi);
  must(allocator, 30 * kMebi);
  EXPECT_EQ(allocator.num_retries(), 1);
  EXPECT_EQ(allocator.reserved().value, 42 * kMebi);
  EXPECT_EQ(allocator.peak_reserved().value, 56 * kMebi);
  EXPECT_FALSE(allocator.allocate(Bytes(24 * kMebi)));
  allocator.free(kept);
  EXPECT_TRUE(allocator.allocate(Bytes(24 * kMebi)));
  EXPECT_FALSE(allocator.allocate(Bytes(24 * kMebi)));
  allocator.lift_limit();
  EXPECT_TRUE(allocator.allocate(Bytes(24 * kMebi)));
}

TEST(CachingAllocator, AnExpandableSegmentGrowsByWhatIsMissing) {
  CachingAllocator allocator(Options{.expandable_segments = true, .limit = {}});
  const auto a = must(allocator, 30 * kMebi);  // two pieces of 20, 10 left
  EXPECT_EQ(allocator.reserved().value, 40 * kMebi);
  must(allocator, 25 * kMebi);  // 15 are missing: one piece, 5 left
  EXPECT_EQ(allocator.reserved().value, 60 * kMebi);
  allocator.free(a);
  must(allocator, 12 * kMebi);  // at the beginning: 18 left there
  must(allocator, 18 * kMebi);
  EXPECT_EQ(allocator.reserved().value, 60 * kMebi);
  must(allocator, 5 * kMebi);
  EXPECT_EQ(allocator.allocated(), allocator.reserved());
  must(allocator, 100);
  EXPECT_EQ(allocator.reserved().value, 62 * kMebi);
}

TEST(CachingAllocator, PiecesOfAnExpandableSegmentAreGivenBackWhenTheDriverHasNoMore) {
  CachingAllocator allocator(Options{.expandable_segments = true, .limit = Bytes(100 * kMebi)});
  const auto a = must(allocator, 10 * kMebi), b = must(allocator, 55 * kMebi);
  must(allocator, 15 * kMebi);
  EXPECT_EQ(allocator.reserved().value, 80 * kMebi);
  allocator.free(b);            // from 10 to 65 MiB: whole pieces from 20 to 60
  must(allocator, 60 * kMebi);  // 55 are not enough, 20 more are there: 40 are given back
  EXPECT_EQ(allocator.num_retries(), 1);
  EXPECT_EQ(allocator.reserved().value, 100 * kMebi);
  EXPECT_EQ(allocator.address(must(allocator, 10 * kMebi)), allocator.address(a) + 10 * kMebi);
}

}  // namespace
}  // namespace portolan
