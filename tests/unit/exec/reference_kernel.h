#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/kernel.h"

namespace portolan {

/// What a buffer of a Program holds when it is run in double precision: numbers, or tokens.
struct ReferenceBuffer {
  std::vector<double> numbers;
  std::vector<std::int32_t> tokens;
};

inline std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

/// Runs one kernel by the formulas of kernels/reference. `operands` are in the order that model/kernel.cc
/// documents. All kernels of dense models without dropout, but load_tokens and adamw; fails for any other.
void run_reference_kernel(const Kernel& kernel, std::span<ReferenceBuffer* const> operands);

}  // namespace portolan
