#include "plan/bucket_walk.h"

#include <algorithm>
#include <utility>

#include "plan/beside_compute.h"

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

Seconds exposed_sums(const std::vector<BucketBlocks>& blocks, Bytes bucket, const BucketCost& cost,
                     double share) {
  Seconds clock, wire, alone;
  walk(
      blocks, bucket,
      [&](const BucketBlocks& one) {
        alone += one.compute;
        const Seconds under_way = std::max(wire - clock, Seconds(0));
        clock += one.compute + CollectivesBeside::slowdown(one.compute, under_way, share);
      },
      [&](Bytes payload, Bytes experts) { wire = std::max(wire, clock) + cost(payload, experts); });
  return std::max(wire, clock) - alone;
}

Seconds exposed_gathers(const std::vector<BucketBlocks>& blocks, Bytes bucket, const BucketCost& cost,
                        Seconds start, double share) {
  struct Bucket {
    Seconds gathered;  ///< when it is there
    Seconds compute;
  };
  std::vector<Bucket> buckets;
  Seconds wire, computed;
  walk(
      blocks, bucket, [&](const BucketBlocks& one) { computed += one.compute; },
      [&](Bytes payload, Bytes experts) {
        wire += cost(payload, experts);
        buckets.push_back({.gathered = wire, .compute = std::exchange(computed, Seconds(0))});
      });
  // A bucket's compute begins when its gather is over.
  Seconds clock = start, alone = start;
  for (const Bucket& one : buckets) {
    clock = std::max(clock, one.gathered);
    alone += one.compute;
    clock +=
        one.compute + CollectivesBeside::slowdown(one.compute, std::max(wire - clock, Seconds(0)), share);
  }
  return clock - alone;
}

}  // namespace portolan
