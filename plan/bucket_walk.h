#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/quantity.h"

namespace portolan {

/// Equal neighbouring blocks, as one pass of a microbatch meets them.
struct BucketBlocks {
  std::int32_t count = 1;
  Seconds compute;  ///< of one block in that pass
  Bytes payload;    ///< of one block: gradients to be summed after it, or parameters to be there before it
  Bytes expert_payload;  ///< likewise, of experts
  Bytes fill;            ///< what counts towards the bucket's size
  bool closes = false;   ///< the last block of these ends a bucket (and a chunk)

  bool operator==(const BucketBlocks&) const = default;
};

/// How a bucket's payload is priced.
using BucketCost = std::function<Seconds(Bytes payload, Bytes expert_payload)>;

/// How much longer than compute alone it takes with sums that begin behind each full bucket, run one after
/// another, and take `share` of the device.
Seconds exposed_sums(const std::vector<BucketBlocks>& blocks, Bytes bucket, const BucketCost& cost,
                     double share);

/// How much longer than alone compute takes that begins at `start` and waits for buckets that are gathered
/// from time 0 on, with `share` of the device.
Seconds exposed_gathers(const std::vector<BucketBlocks>& blocks, Bytes bucket, const BucketCost& cost,
                        Seconds start, double share);

}  // namespace portolan
