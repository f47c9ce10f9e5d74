#pragma once

#include <cstdint>

#include "model/block.h"

namespace portolan {

// What a flash kernel computes in one step of a ring of p = context_parallel ranks, for one head of one
// sequence. Each rank has the queries of its n = s / p tokens, and in step i the keys of the rank i before
// it.
//
// With the causal mask skipped and tokens in zigzag (BlockOptions::context_parallel): in step 0 a rank's two
// blocks, which keep their order, see n (n - 1) / 2 pairs below the diagonal and n on it. In later steps,
// with keys of an earlier rank, both its blocks see the first of the two and none sees the second; with keys
// of a later rank, its second block sees both and its first none: n^2 / 2 either way. So all ranks do as much
// in every step, and with p = 1 it is the whole triangle, or with a window of w < s keys the band of it next
// to the diagonal: w (w + 1) / 2 pairs of the first w queries, w of each other. Else: n^2 in every step.

/// Pairs of a query and a key that are computed.
std::int64_t attended_pairs(const BlockOptions& options, std::int64_t step);
/// Of the n keys, those that any query sees, where n queries see them: as of an earlier rank. With a window:
/// those that one query sees.
std::int64_t attended_keys(const BlockOptions& options, std::int64_t step);

}  // namespace portolan
