#include "plan/caching_allocator.h"

#include <algorithm>
#include <cassert>

namespace portolan {

namespace {

std::int64_t round_up(std::int64_t size, std::int64_t multiple) {
  return (size + multiple - 1) / multiple * multiple;
}

std::int64_t piece_of(bool small) {
  return small ? CachingAllocator::kSmallSegment : CachingAllocator::kLargeSegment;
}

/// What the driver is asked for to serve a request of `size`.
std::int64_t segment_size(std::int64_t size, bool small) {
  return small                                      ? CachingAllocator::kSmallSegment
         : size < CachingAllocator::kOwnSegmentFrom ? CachingAllocator::kLargeSegment
                                                    : round_up(size, CachingAllocator::kOwnSegmentRounding);
}

/// Where the large pool of expandable segments begins: beyond all that the small pool can reach.
constexpr std::int64_t kFarAddress = std::int64_t{1} << 50;

}  // namespace

CachingAllocator::CachingAllocator(const Options& options)
    : expandable_(options.expandable_segments), limit_(options.limit) {
  pool(false).end_address = kFarAddress;
}

CachingAllocator::BlockId CachingAllocator::new_block(const Block& block) {
  if (unused_records_.empty()) {
    blocks_.push_back(block);
    return static_cast<BlockId>(blocks_.size() - 1);
  }
  const BlockId id = unused_records_.back();
  unused_records_.pop_back();
  at(id) = block;
  return id;
}

void CachingAllocator::drop_block(BlockId block) {
  at(block).unused_record = true;
  unused_records_.push_back(block);
}

void CachingAllocator::insert_free(BlockId block) {
  std::vector<FreeBlock>& free = pool(at(block).small).free;
  const FreeBlock entry{at(block).size, at(block).address, block};
  free.insert(std::upper_bound(free.begin(), free.end(), entry), entry);
}

void CachingAllocator::erase_free(BlockId block) {
  std::vector<FreeBlock>& free = pool(at(block).small).free;
  const auto found =
      std::lower_bound(free.begin(), free.end(), FreeBlock{at(block).size, at(block).address, block});
  assert(found != free.end() && found->block == block);
  free.erase(found);
}

bool CachingAllocator::driver_has(std::int64_t size) const {
  return !limit_ || reserved_ + size <= limit_->value;
}

void CachingAllocator::reserve(std::int64_t size) {
  reserved_ += size;
  peak_reserved_ = std::max(peak_reserved_, reserved_);
  ++num_segment_changes_;
}

CachingAllocator::BlockId CachingAllocator::take_cached(std::int64_t size, bool small) {
  std::vector<FreeBlock>& free = pool(small).free;
  const auto found = std::lower_bound(free.begin(), free.end(), FreeBlock{size, -1, kNone});
  if (found == free.end()) {
    return kNone;
  }
  const BlockId block = found->block;
  free.erase(found);
  return block;
}

CachingAllocator::BlockId CachingAllocator::expand(std::int64_t size, bool small) {
  Pool& grown = pool(small);
  const bool end_is_free = grown.end != kNone && !at(grown.end).in_use;
  const std::int64_t there = end_is_free ? at(grown.end).size : 0;
  const std::int64_t more = round_up(size - there, piece_of(small));
  if (!driver_has(more)) {
    return kNone;
  }
  reserve(more);
  if (end_is_free) {
    erase_free(grown.end);
    at(grown.end).size += more;
  } else {
    const BlockId block = new_block({.address = grown.end_address, .size = more, .small = small});
    if (grown.end != kNone) {
      at(block).previous = grown.end;
      at(grown.end).next = block;
    }
    grown.end = block;
  }
  grown.end_address += more;
  return grown.end;
}

CachingAllocator::BlockId CachingAllocator::take_from_driver(std::int64_t size, bool small) {
  if (expandable_) {
    return expand(size, small);
  }
  const std::int64_t segment = segment_size(size, small);
  if (!driver_has(segment)) {
    return kNone;
  }
  reserve(segment);
  const BlockId block = new_block({.address = next_address_, .size = segment, .small = small});
  next_address_ += segment;
  return block;
}

void CachingAllocator::give_back_free_segments() {
  ++num_retries_;
  if (expandable_) {
    give_back_free_pieces(true);
    give_back_free_pieces(false);
    return;
  }
  for (Pool& each : pools_) {
    std::erase_if(each.free, [&](const FreeBlock& free) {
      const bool whole = at(free.block).previous == kNone && at(free.block).next == kNone;
      if (whole) {
        reserved_ -= free.size;
        ++num_segment_changes_;
        drop_block(free.block);
      }
      return whole;
    });
  }
}

void CachingAllocator::give_back_free_pieces(bool small) {
  Pool& emptied = pool(small);
  const std::int64_t piece = piece_of(small);
  const std::int64_t origin = small ? 0 : kFarAddress;
  const std::vector<FreeBlock> free = std::move(emptied.free);
  emptied.free.clear();
  for (const FreeBlock& each : free) {
    Block& block = at(each.block);
    const std::int64_t first = origin + round_up(block.address - origin, piece);
    const std::int64_t end = origin + (block.address + block.size - origin) / piece * piece;
    if (first >= end) {
      insert_free(each.block);
      continue;
    }
    reserved_ -= end - first;
    ++num_segment_changes_;
    // The blocks on both sides of the hole are neighbours no more.
    const std::int64_t behind = block.address + block.size - end;
    const BlockId next = block.next;
    BlockId right = kNone;
    if (behind > 0) {
      right = new_block({.address = end, .size = behind, .next = next, .small = small});
      insert_free(right);
    }
    if (next != kNone) {
      at(next).previous = right;
    }
    Block& left = at(each.block);  // new_block may have moved it
    left.size = first - left.address;
    left.next = kNone;
    if (emptied.end == each.block) {
      emptied.end = right;
    }
    if (left.size > 0) {
      insert_free(each.block);
    } else {
      if (left.previous != kNone) {
        at(left.previous).next = kNone;
      }
      drop_block(each.block);
    }
  }
}

void CachingAllocator::split(BlockId block, std::int64_t size) {
  const std::int64_t left_over = at(block).size - size;
  const bool splits = at(block).small || expandable_ ? left_over >= kRounding : left_over > kLargestSmall;
  if (!splits) {
    return;
  }
  const BlockId rest = new_block({.address = at(block).address + size,
                                  .size = left_over,
                                  .previous = block,
                                  .next = at(block).next,
                                  .small = at(block).small});
  if (at(rest).next != kNone) {
    at(at(rest).next).previous = rest;
  }
  at(block).size = size;
  at(block).next = rest;
  Pool& of_block = pool(at(block).small);
  if (of_block.end == block) {
    of_block.end = rest;
  }
  insert_free(rest);
}

std::optional<CachingAllocator::BlockId> CachingAllocator::allocate(Bytes size) {
  assert(size.value > 0);
  const std::int64_t rounded = round_up(size.value, kRounding);
  const bool small = rounded <= kLargestSmall;
  BlockId block = take_cached(rounded, small);
  if (block == kNone) {
    block = take_from_driver(rounded, small);
  }
  if (block == kNone) {
    give_back_free_segments();
    block = take_from_driver(rounded, small);
  }
  if (block == kNone) {
    return std::nullopt;
  }
  split(block, rounded);
  at(block).in_use = true;
  allocated_ += at(block).size;
  peak_allocated_ = std::max(peak_allocated_, allocated_);
  return block;
}

CachingAllocator::BlockId CachingAllocator::merge(BlockId left, BlockId right) {
  at(left).size += at(right).size;
  at(left).next = at(right).next;
  if (at(left).next != kNone) {
    at(at(left).next).previous = left;
  }
  Pool& of_block = pool(at(left).small);
  if (of_block.end == right) {
    of_block.end = left;
  }
  drop_block(right);
  return left;
}

void CachingAllocator::free(BlockId block) {
  assert(at(block).in_use);
  at(block).in_use = false;
  allocated_ -= at(block).size;
  if (const BlockId next = at(block).next; next != kNone && !at(next).in_use) {
    erase_free(next);
    merge(block, next);
  }
  if (const BlockId previous = at(block).previous; previous != kNone && !at(previous).in_use) {
    erase_free(previous);
    block = merge(previous, block);
  }
  insert_free(block);
}

std::vector<CachingAllocator::BlockState> CachingAllocator::blocks() const {
  std::vector<BlockState> all;
  for (const Block& block : blocks_) {
    if (!block.unused_record) {
      all.push_back({block.address, block.size, block.in_use});
    }
  }
  std::sort(all.begin(), all.end(),
            [](const BlockState& a, const BlockState& b) { return a.address < b.address; });
  return all;
}

}  // namespace portolan
