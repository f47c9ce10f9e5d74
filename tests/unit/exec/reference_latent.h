#pragma once

#include <span>

#include "reference_kernel.h"

namespace portolan {

/// Kernels of latent attention, in double precision on one rank, in the order of columns that
/// model/latent_attention.h gives; flash attention by its definition, with the scores as a matrix. Returns
/// false for any other kernel.
bool run_latent_kernel(const Kernel& kernel, std::span<ReferenceBuffer* const> operands);

}  // namespace portolan
