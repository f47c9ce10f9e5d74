#pragma once

#include <span>

#include "reference_kernel.h"

namespace portolan {

/// Kernels of layers with experts, in double precision on one rank. The router picks experts by the token's
/// place instead of by its scores, so that they are balanced and stay the same when parameters move. Returns
/// false for any other kernel.
bool run_expert_kernel(const Kernel& kernel, std::span<ReferenceBuffer* const> operands);

}  // namespace portolan
