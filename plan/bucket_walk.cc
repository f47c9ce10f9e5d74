#include "plan/bucket_walk.h"

#include <algorithm>

namespace portolan {

namespace {

/// Calls `block(blocks)` for each block, and `closed(payload, expert_payload)` where a bucket ends.
template <typename Block, typename Closed>
void walk(const std::vector<BucketBlocks>& all, Bytes bucket, const Block& block, const Closed& closed) {
  Bytes payload, experts, filled;
  for (const BucketBlocks& blocks : all) {
    for (std::int32_t i = 0; i < blocks.count; ++i) {
      block(blocks);
      payload += blocks.payload;
      experts += blocks.expert_payload;
      filled += blocks.fill;
      const bool last = blocks.closes && i + 1 == blocks.count;
      if (payload.value > 0 && (last || (bucket.value > 0 && filled >= bucket))) {
        closed(payload, experts);
        payload = experts = filled = Bytes(0);
      }
    }
  }
}

}  // namespace

Seconds exposed_sums(const std::vector<BucketBlocks>& blocks, Bytes bucket, const BucketCost& cost) {
  Seconds clock, wire;
  walk(
      blocks, bucket, [&](const BucketBlocks& one) { clock += one.compute; },
      [&](Bytes payload, Bytes experts) { wire = std::max(wire, clock) + cost(payload, experts); });
  return std::max(wire - clock, Seconds(0));
}

Seconds exposed_gathers(const std::vector<BucketBlocks>& blocks, Bytes bucket, const BucketCost& cost,
                        Seconds start) {
  Seconds clock = start, wire, computed, waited;
  // A bucket's compute begins when its gather is over.
  walk(
      blocks, bucket, [&](const BucketBlocks& one) { computed += one.compute; },
      [&](Bytes payload, Bytes experts) {
        wire += cost(payload, experts);
        if (wire > clock) {
          waited += wire - clock;
          clock = wire;
        }
        clock += computed;
        computed = Seconds(0);
      });
  return waited;
}

}  // namespace portolan
