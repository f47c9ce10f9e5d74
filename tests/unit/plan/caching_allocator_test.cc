#include "plan/caching_allocator.h"

#include <gtest/gtest.h>

#include <string>

namespace portolan {
namespace {

constexpr std::int64_t kMi = std::int64_t{1} << 20;
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
      {1, 512, 2 * kMi},
      {512, 512, 2 * kMi},
      {513, 1024, 2 * kMi},
      {kMi, kMi, 2 * kMi},             // the largest of the small pool
      {kMi + 1, kMi + 512, 20 * kMi},  // the smallest of the large one
      {10 * kMi - 1, 10 * kMi, 10 * kMi},
      {10 * kMi - 1000, 10 * kMi - 512, 20 * kMi},
      {10 * kMi, 10 * kMi, 10 * kMi},
      {10 * kMi + 1, 10 * kMi + 512, 12 * kMi},  // 2 MiB - 512 B are left: split off
      {11 * kMi, 12 * kMi, 12 * kMi},            // 1 MiB is left: not split off
      {11 * kMi - 512, 11 * kMi - 512, 12 * kMi},
      {30 * kMi, 30 * kMi, 30 * kMi},
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
  const auto a = must(allocator, 40 * kMi), b = must(allocator, 30 * kMi), c = must(allocator, 30 * kMi);
  const std::int64_t second = allocator.address(b);
  allocator.free(c);
  allocator.free(a);
  allocator.free(b);
  EXPECT_EQ(allocator.address(must(allocator, 25 * kMi)), second);  // 30 MiB before 40, the lower of two
  EXPECT_EQ(allocator.reserved().value, 100 * kMi);
}

TEST(CachingAllocator, WhatIsLeftOfABlockServesOthersAndNeighboursMergeAgain) {
  CachingAllocator allocator(Options{});
  const auto a = must(allocator, 4 * kMi), b = must(allocator, 6 * kMi), c = must(allocator, 9 * kMi);
  // 4 + 6 + 9 of 20 MiB: the last one keeps the MiB that is left, which is not above 1 MiB.
  EXPECT_EQ(allocator.size(c).value, 10 * kMi);
  EXPECT_EQ(allocator.reserved().value, 20 * kMi);
  EXPECT_EQ(allocator.blocks().size(), 3U);
  allocator.free(a);
  allocator.free(c);
  EXPECT_EQ(allocator.blocks().size(), 3U);
  allocator.free(b);
  EXPECT_EQ(allocator.blocks(), (std::vector<CachingAllocator::BlockState>{{0, 20 * kMi, false}}));
  EXPECT_EQ(allocator.reserved().value, 20 * kMi);  // kept
  EXPECT_EQ(allocator.size(must(allocator, 20 * kMi)).value, 20 * kMi);
  EXPECT_EQ(allocator.num_segment_changes(), 1);
}

TEST(CachingAllocator, FragmentsOfDifferentSegmentsDoNotMerge) {
  CachingAllocator allocator(Options{});
  allocator.free(must(allocator, 30 * kMi));
  const auto kept = must(allocator, 12 * kMi);  // of the 30: 18 left
  allocator.free(must(allocator, 20 * kMi));    // a segment of its own
  must(allocator, 38 * kMi);                    // 18 + 20 are free, in two segments
  EXPECT_EQ(allocator.reserved().value, 88 * kMi);
  EXPECT_EQ(allocator.address(kept), 0);
}

TEST(CachingAllocator, PoolsDoNotHelpEachOther) {
  CachingAllocator allocator(Options{});
  allocator.free(must(allocator, 20 * kMi));
  must(allocator, 1000);
  EXPECT_EQ(allocator.reserved().value, 22 * kMi);
}

TEST(CachingAllocator, FreeSegmentsAreGivenBackWhenTheDriverHasNoMore) {
  CachingAllocator allocator(Options{.expandable_segments = false, .limit = Bytes(64 * kMi)});
  const auto kept = must(allocator, 12 * kMi);
  allocator.free(must(allocator, 20 * kMi));
  allocator.free(must(allocator, 24 * kMi));
  EXPECT_EQ(allocator.reserved().value, 56 * kMi);
  must(allocator, 30 * kMi);
  EXPECT_EQ(allocator.num_retries(), 1);
  EXPECT_EQ(allocator.reserved().value, 42 * kMi);
  EXPECT_EQ(allocator.peak_reserved().value, 56 * kMi);
  EXPECT_FALSE(allocator.allocate(Bytes(24 * kMi)));
  allocator.free(kept);
  EXPECT_TRUE(allocator.allocate(Bytes(24 * kMi)));
  EXPECT_FALSE(allocator.allocate(Bytes(24 * kMi)));
  allocator.lift_limit();
  EXPECT_TRUE(allocator.allocate(Bytes(24 * kMi)));
}

TEST(CachingAllocator, AnExpandableSegmentGrowsByWhatIsMissing) {
  CachingAllocator allocator(Options{.expandable_segments = true, .limit = {}});
  const auto a = must(allocator, 30 * kMi);  // two pieces of 20, 10 left
  EXPECT_EQ(allocator.reserved().value, 40 * kMi);
  must(allocator, 25 * kMi);  // 15 are missing: one piece, 5 left
  EXPECT_EQ(allocator.reserved().value, 60 * kMi);
  allocator.free(a);
  must(allocator, 12 * kMi);  // at the beginning: 18 left there
  must(allocator, 18 * kMi);
  EXPECT_EQ(allocator.reserved().value, 60 * kMi);
  must(allocator, 5 * kMi);
  EXPECT_EQ(allocator.allocated(), allocator.reserved());
  must(allocator, 100);
  EXPECT_EQ(allocator.reserved().value, 62 * kMi);
}

TEST(CachingAllocator, PiecesOfAnExpandableSegmentAreGivenBackWhenTheDriverHasNoMore) {
  CachingAllocator allocator(Options{.expandable_segments = true, .limit = Bytes(100 * kMi)});
  const auto a = must(allocator, 10 * kMi), b = must(allocator, 55 * kMi);
  must(allocator, 15 * kMi);
  EXPECT_EQ(allocator.reserved().value, 80 * kMi);
  allocator.free(b);          // from 10 to 65 MiB: whole pieces from 20 to 60
  must(allocator, 60 * kMi);  // 55 are not enough, 20 more are there: 40 are given back
  EXPECT_EQ(allocator.num_retries(), 1);
  EXPECT_EQ(allocator.reserved().value, 100 * kMi);
  EXPECT_EQ(allocator.address(must(allocator, 10 * kMi)), allocator.address(a) + 10 * kMi);
}

}  // namespace
}  // namespace portolan
