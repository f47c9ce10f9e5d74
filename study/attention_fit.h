#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "catalog/measured/attention_rows.h"
#include "study/fit_error.h"
#include "topology/hardware.h"

namespace portolan {

/// Of one version of FlashAttention.
struct AttentionFit {
  FlashAttention constants;
  std::int64_t num_rows = 0;
  FitError fitted;     ///< on the rows that were used
  FitError held_back;  ///< rows of each length, predicted from a fit to those of the others
};

/// Fits efficiency and mask_overhead of each version in the table, so that the mean of |log(predicted /
/// measured)| is least (NLopt, SBPLX). Errors (kBadInput): a version with fewer than 8 rows or without causal
/// ones, a device without a peak for bf16 or fp16.
Result<std::vector<AttentionFit>> fit_flash_attention(const std::vector<AttentionRow>& rows,
                                                      const DeviceSpec& device);

}  // namespace portolan
