#pragma once

#include <cstdint>

#include "model/block.h"

namespace portolan {

/// Pairs of a query and a key that a flash kernel computes, for one head of one sequence: of s tokens all
/// s^2, or where it skips what a causal mask hides, s (s - 1) / 2 and the diagonal's s.
std::int64_t attended_pairs(const BlockOptions& options);

}  // namespace portolan
