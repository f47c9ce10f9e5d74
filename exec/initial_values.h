#pragma once

#include <cstdint>
#include <span>

#include "plan/program.h"

namespace portolan {

/// Fills `values` with what `buffer` holds before the first step. Random values depend on the seed and the buffer's name
/// alone, so that a parameter begins alike wherever it is placed. Precondition: values.size() * 4 == buffer.bytes.
void initial_values(const Buffer& buffer, std::uint64_t seed, std::span<float> values);

}  // namespace portolan
