#pragma once

#include <cstdint>
#include <span>

#include "exec/communicator.h"

namespace portolan {

bool have_same_sizes(std::span<const MemorySpan> a, std::span<const MemorySpan> b);

/// The part of an all-reduce that member `self` does: of the members' buffers, read as one vector of floats,
/// it sums its slice in the order of the members and writes the sum into all of them. Needs no memory of its
/// own. Precondition: the parts have the same sizes, whole floats.
void sum_slice(std::span<const std::span<const MemorySpan>> parts, std::int64_t self);

}  // namespace portolan
