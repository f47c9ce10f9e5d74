#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "study/attention_fit.h"
#include "study/gemm_fit.h"
#include "study/step_fit.h"

namespace portolan {

/// Constants, rows used and left out, errors of the fit and of what was held back. `num_others`: rows of the
/// table that are no products of the GPU.
std::string gemm_fit_table(const GemmFit& fit, std::int64_t num_others, std::size_t width);
/// Likewise of flash-attention kernels.
std::string attention_fit_table(const std::vector<AttentionFit>& fits, std::int64_t num_others,
                                std::size_t width);

/// Of each source: rows, its constant, and the errors without one, with its own, with that of the others.
std::string step_fit_table(const StepConstant& constant, const StepFit& fit, std::size_t width);

}  // namespace portolan
