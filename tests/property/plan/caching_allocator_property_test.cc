#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "plan/caching_allocator.h"

namespace portolan {
namespace {

constexpr std::int64_t kMi = std::int64_t{1} << 20;

/// The allocator's rules, each looked up by going through all blocks of all segments.
class ObviousAllocator {
 public:
  explicit ObviousAllocator(const CachingAllocator::Options& options) : options_(options) {}

  /// The address; nothing where the driver has no more.
  std::optional<std::int64_t> allocate(std::int64_t request) {
    const std::int64_t size = (request + 511) / 512 * 512;
    const bool small = size <= kMi;
    if (!best(size, small) && !ask_driver(size, small)) {
      std::erase_if(segments_, [](const Segment& segment) {
        return segment.blocks.size() == 1 && !segment.blocks[0].in_use;
      });
      if (!ask_driver(size, small)) {
        return std::nullopt;
      }
    }
    const auto [segment, index] = *best(size, small);
    std::vector<Part>& blocks = segments_[segment].blocks;
    const std::int64_t rest = blocks[index].size - size;
    if (small || options_.expandable_segments ? rest >= 512 : rest > kMi) {
      blocks[index].size = size;
      blocks.insert(blocks.begin() + static_cast<std::ptrdiff_t>(index) + 1, Part{rest, false});
    }
    blocks[index].in_use = true;
    return address_of(segment, index);
  }

  void free(std::int64_t address) {
    for (std::size_t s = 0; s < segments_.size(); ++s) {
      std::vector<Part>& blocks = segments_[s].blocks;
      for (std::size_t b = 0; b < blocks.size(); ++b) {
        if (address_of(s, b) == address) {
          blocks[b].in_use = false;
        }
      }
      for (std::size_t b = 0; b + 1 < blocks.size();) {
        if (!blocks[b].in_use && !blocks[b + 1].in_use) {
          blocks[b].size += blocks[b + 1].size;
          blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(b) + 1);
        } else {
          ++b;
        }
      }
    }
  }

  std::vector<CachingAllocator::BlockState> blocks() const {
    std::vector<CachingAllocator::BlockState> all;
    for (std::size_t s = 0; s < segments_.size(); ++s) {
      for (std::size_t b = 0; b < segments_[s].blocks.size(); ++b) {
        all.push_back({address_of(s, b), segments_[s].blocks[b].size, segments_[s].blocks[b].in_use});
      }
    }
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.address < b.address; });
    return all;
  }

  std::int64_t reserved() const {
    std::int64_t bytes = 0;
    for (const auto& block : blocks()) {
      bytes += block.size;
    }
    return bytes;
  }

 private:
  struct Part {
    std::int64_t size = 0;
    bool in_use = false;
  };
  struct Segment {
    std::int64_t address = 0;
    bool small = false;
    std::vector<Part> blocks;
  };
  using Place = std::pair<std::size_t, std::size_t>;

  std::int64_t address_of(std::size_t segment, std::size_t index) const {
    std::int64_t address = segments_[segment].address;
    for (std::size_t b = 0; b < index; ++b) {
      address += segments_[segment].blocks[b].size;
    }
    return address;
  }

  std::optional<Place> best(std::int64_t size, bool small) const {
    std::optional<Place> found;
    std::pair<std::int64_t, std::int64_t> key;
    for (std::size_t s = 0; s < segments_.size(); ++s) {
      for (std::size_t b = 0; b < segments_[s].blocks.size(); ++b) {
        const Part& part = segments_[s].blocks[b];
        const std::pair mine{part.size, address_of(s, b)};
        if (segments_[s].small == small && !part.in_use && part.size >= size && (!found || mine < key)) {
          found = Place{s, b};
          key = mine;
        }
      }
    }
    return found;
  }

  bool ask_driver(std::int64_t size, bool small) {
    std::int64_t more = small             ? 2 * kMi
                        : size < 10 * kMi ? 20 * kMi
                                          : (size + 2 * kMi - 1) / (2 * kMi) * (2 * kMi);
    if (options_.expandable_segments) {
      const std::int64_t piece = small ? 2 * kMi : 20 * kMi;
      for (Segment& segment : segments_) {
        if (segment.small == small) {
          Part& last = segment.blocks.back();
          more = (size - (last.in_use ? 0 : last.size) + piece - 1) / piece * piece;
          if (last.in_use) {
            segment.blocks.push_back({more, false});
          } else {
            last.size += more;
          }
          return true;
        }
      }
      more = (size + piece - 1) / piece * piece;
      segments_.push_back({small ? 0 : std::int64_t{1} << 50, small, {{more, false}}});
      return true;
    }
    if (options_.limit && reserved() + more > options_.limit->value) {
      return false;
    }
    segments_.push_back({next_address_, small, {{more, false}}});
    next_address_ += more;
    return true;
  }

  CachingAllocator::Options options_;
  std::vector<Segment> segments_;
  std::int64_t next_address_ = 0;
};

/// Sizes of both pools, of shared segments and of segments of their own, some of them often.
std::int64_t random_size(RandomStream& random) {
  const std::int64_t often[] = {512, 700 * 1024, 3 * kMi, 24 * kMi, 24 * kMi + 4096};
  switch (random.next_below(5)) {
    case 0:
      return 1 + static_cast<std::int64_t>(random.next_below(static_cast<std::uint64_t>(kMi)));
    case 1:
      return kMi + 1 + static_cast<std::int64_t>(random.next_below(9 * static_cast<std::uint64_t>(kMi)));
    case 2:
      return 10 * kMi + static_cast<std::int64_t>(random.next_below(50 * static_cast<std::uint64_t>(kMi)));
    default:
      return often[random.next_below(5)];
  }
}

struct Live {
  CachingAllocator::BlockId block = 0;
  std::int64_t address = 0, request = 0;
};

void expect_sound(const CachingAllocator& allocator, const std::vector<Live>& live) {
  const std::vector<CachingAllocator::BlockState> blocks = allocator.blocks();
  std::int64_t in_use = 0, all = 0;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    ASSERT_GT(blocks[i].size, 0);
    if (i + 1 < blocks.size()) {
      ASSERT_LE(blocks[i].address + blocks[i].size, blocks[i + 1].address) << "blocks overlap";
    }
    in_use += blocks[i].in_use ? blocks[i].size : 0;
    all += blocks[i].size;
  }
  ASSERT_EQ(in_use, allocator.allocated().value);
  ASSERT_EQ(all, allocator.reserved().value);
  ASSERT_LE(allocator.allocated(), allocator.reserved());
  ASSERT_LE(allocator.reserved(), allocator.peak_reserved());
  ASSERT_LE(allocator.allocated(), allocator.peak_allocated());
  for (const Live& one : live) {
    ASSERT_GE(allocator.size(one.block).value, one.request);
    ASSERT_EQ(allocator.address(one.block), one.address);
  }
}

/// A random trace on both allocators, and everything freed at its end.
void run_trace(const CachingAllocator::Options& options, bool with_oracle, std::uint64_t seed) {
  SCOPED_TRACE(seed);
  RandomStream random(seed);
  CachingAllocator allocator(options);
  ObviousAllocator oracle(options);
  std::vector<Live> live;
  const std::uint64_t crowd = 4 + random.next_below(40);
  const auto free_one = [&](std::size_t index) {
    allocator.free(live[index].block);
    oracle.free(live[index].address);
    live.erase(live.begin() + static_cast<std::ptrdiff_t>(index));
  };
  for (int i = 0; i < 300; ++i) {
    if (random.next_below(2 * crowd) < live.size()) {
      free_one(static_cast<std::size_t>(random.next_below(live.size())));
    } else {
      const std::int64_t size = random_size(random);
      const auto block = allocator.allocate(Bytes(size));
      if (with_oracle) {
        const auto address = oracle.allocate(size);
        ASSERT_EQ(block.has_value(), address.has_value()) << i;
        ASSERT_TRUE(!block || allocator.address(*block) == *address) << i;
      }
      if (block) {
        live.push_back({*block, allocator.address(*block), size});
      }
    }
    if (options.limit) {
      ASSERT_LE(allocator.reserved(), *options.limit);
    }
    if (with_oracle) {
      ASSERT_EQ(allocator.blocks(), oracle.blocks()) << i;
    }
    ASSERT_NO_FATAL_FAILURE(expect_sound(allocator, live));
  }
  while (!live.empty()) {
    free_one(static_cast<std::size_t>(random.next_below(live.size())));
  }
  EXPECT_EQ(allocator.allocated(), Bytes(0));
  for (const CachingAllocator::BlockState& block : allocator.blocks()) {
    // A segment whose blocks are all free is one block again.
    EXPECT_TRUE(!block.in_use && block.size % (2 * kMi) == 0) << block.address;
  }
}

TEST(CachingAllocatorProperty, RandomTracesAgreeWithTheObviousOne) {
  for (std::uint64_t seed = 1; seed <= 120; ++seed) {
    run_trace({.expandable_segments = false, .limit = {}}, true, seed);
    run_trace({.expandable_segments = true, .limit = {}}, true, seed);
  }
}

TEST(CachingAllocatorProperty, UnderALimitRequestsFailOnlyWhereTheObviousOneFails) {
  for (std::uint64_t seed = 1; seed <= 120; ++seed) {
    run_trace({.expandable_segments = false, .limit = Bytes(200 * kMi)}, true, seed);
  }
}

TEST(CachingAllocatorProperty, AnExpandableSegmentStaysSoundUnderALimit) {
  for (std::uint64_t seed = 1; seed <= 120; ++seed) {
    run_trace({.expandable_segments = true, .limit = Bytes(240 * kMi)}, false, seed);
  }
}

TEST(CachingAllocatorProperty, ARequestNeverNeedsMoreThanARetryWithNothingCached) {
  // Whatever came before: when all is free, every request up to the limit can be had.
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    RandomStream random(seed);
    CachingAllocator allocator({.expandable_segments = seed % 2 == 0, .limit = Bytes(200 * kMi)});
    std::vector<CachingAllocator::BlockId> live;
    for (int i = 0; i < 60; ++i) {
      if (const auto block = allocator.allocate(Bytes(random_size(random)))) {
        live.push_back(*block);
      }
    }
    for (const CachingAllocator::BlockId block : live) {
      allocator.free(block);
    }
    EXPECT_TRUE(allocator.allocate(Bytes(200 * kMi))) << seed;
    EXPECT_FALSE(allocator.allocate(Bytes(1)));
  }
}

}  // namespace
}  // namespace portolan
