#pragma once

#include <cstdint>

namespace portolan::host {

// Whole buffers of `count` floats. Source and destination do not overlap.

/// destination = source.
void copy(float* destination, const float* source, std::int64_t count);
/// destination = 0.
void fill_zero(float* destination, std::int64_t count);
/// destination += source: the arithmetic of an all-reduce.
void accumulate(float* destination, const float* source, std::int64_t count);

}  // namespace portolan::host
