#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/quantity.h"

namespace portolan {

/// PyTorch's caching allocator for one device and one stream, as publicly documented: "CUDA semantics, memory
/// management" in PyTorch's documentation and DeVito, "A guide to PyTorch's CUDA caching allocator" (2022).
///
/// Requests are rounded up to 512 B. Up to 1 MiB they come from the small pool, whose segments (what the
/// driver is asked for) have 2 MiB; larger ones from the large pool, whose segments have 20 MiB for requests
/// below 10 MiB and else the request rounded up to 2 MiB. The smallest free block that is large enough is
/// taken, of equal ones that at the lowest address. What is left of it becomes a block of its own: in the
/// small pool from 512 B, in the large pool above 1 MiB. Free neighbours in a segment merge. Segments are
/// kept; when the driver has no more, those that are wholly free are given back and the request is repeated.
///
/// With expandable segments (PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True) a pool is one segment that
/// grows at its end by 2 MiB (small) or 20 MiB (large), and what is left of a block is always split off from
/// 512 B. When the driver has no more, whole such pieces of free blocks are given back; their addresses are
/// not used again here.
///
/// Pure: nothing is allocated. The driver's segments have rising addresses.
class CachingAllocator {
 public:
  struct Options {
    bool expandable_segments = false;
    std::optional<Bytes> limit;  ///< that the driver has; nothing: without end
  };
  using BlockId = std::int32_t;

  static constexpr std::int64_t kRounding = 512;
  static constexpr std::int64_t kLargestSmall = std::int64_t{1} << 20;
  static constexpr std::int64_t kSmallSegment = std::int64_t{2} << 20;
  static constexpr std::int64_t kLargeSegment = std::int64_t{20} << 20;
  static constexpr std::int64_t kOwnSegmentFrom = std::int64_t{10} << 20;
  static constexpr std::int64_t kOwnSegmentRounding = std::int64_t{2} << 20;

  explicit CachingAllocator(const Options& options);

  /// Nothing where the limit does not allow it even after cached segments are given back.
  /// Precondition: size > 0.
  std::optional<BlockId> allocate(Bytes size);
  /// Precondition: `block` is in use.
  void free(BlockId block);
  /// From now on the driver always has more.
  void lift_limit() { limit_.reset(); }

  std::int64_t address(BlockId block) const { return at(block).address; }
  Bytes size(BlockId block) const { return Bytes(at(block).size); }
  Bytes allocated() const { return Bytes(allocated_); }  ///< sizes of blocks in use
  Bytes reserved() const { return Bytes(reserved_); }    ///< what the driver has given
  Bytes peak_allocated() const { return Bytes(peak_allocated_); }
  Bytes peak_reserved() const { return Bytes(peak_reserved_); }
  /// How often segments were taken or given back: while it stands still, so do they.
  std::int64_t num_segment_changes() const { return num_segment_changes_; }
  /// How often cached segments had to be given back to serve a request.
  std::int64_t num_retries() const { return num_retries_; }

  struct BlockState {
    std::int64_t address = 0;
    std::int64_t size = 0;
    bool in_use = false;

    bool operator==(const BlockState&) const = default;
  };
  /// All blocks of all segments, by address.
  std::vector<BlockState> blocks() const;

 private:
  static constexpr BlockId kNone = -1;

  struct Block {
    std::int64_t address = 0;
    std::int64_t size = 0;
    BlockId previous = kNone;  ///< neighbours in the segment
    BlockId next = kNone;
    bool small = false;
    bool in_use = false;
    bool unused_record = false;
  };
  struct FreeBlock {
    std::int64_t size = 0;
    std::int64_t address = 0;
    BlockId block = kNone;

    bool operator<(const FreeBlock& other) const {
      return size != other.size ? size < other.size : address < other.address;
    }
  };
  struct Pool {
    std::vector<FreeBlock> free;  ///< by size, then address
    BlockId end = kNone;          ///< last block of an expandable segment
    std::int64_t end_address = 0;
  };

  Block& at(BlockId block) { return blocks_[static_cast<std::size_t>(block)]; }
  const Block& at(BlockId block) const { return blocks_[static_cast<std::size_t>(block)]; }
  Pool& pool(bool small) { return pools_[small ? 0 : 1]; }

  BlockId new_block(const Block& block);
  void drop_block(BlockId block);
  void insert_free(BlockId block);
  void erase_free(BlockId block);
  bool driver_has(std::int64_t size) const;
  void reserve(std::int64_t size);
  /// A free block of `size` or more, taken out of its pool; kNone: there is none.
  BlockId take_cached(std::int64_t size, bool small);
  /// A new free block, not in its pool; kNone where the limit does not allow it.
  BlockId take_from_driver(std::int64_t size, bool small);
  BlockId expand(std::int64_t size, bool small);
  void give_back_free_segments();
  void give_back_free_pieces(bool small);
  void split(BlockId block, std::int64_t size);
  BlockId merge(BlockId left, BlockId right);

  bool expandable_;
  std::optional<Bytes> limit_;
  std::vector<Block> blocks_;
  std::vector<BlockId> unused_records_;
  Pool pools_[2];
  std::int64_t next_address_ = 0;
  std::int64_t allocated_ = 0, reserved_ = 0, peak_allocated_ = 0, peak_reserved_ = 0;
  std::int64_t num_segment_changes_ = 0, num_retries_ = 0;
};

}  // namespace portolan
