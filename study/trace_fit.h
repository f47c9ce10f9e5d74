#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "catalog/measured/traced_rows.h"
#include "study/attention_fit.h"
#include "study/fit_error.h"
#include "study/gemm_fit.h"
#include "study/link_fit.h"
#include "study/product_scale.h"
#include "topology/hardware.h"

namespace portolan {

/// Flash attention of one version.
struct TracedAttentionFit {
  FlashAttention constants;
  bool mask_is_fitted = false;  ///< else mask_overhead is the file's, or 0 where it has none
  std::int64_t num_rows = 0;
  FitError fitted;
  FitError held_back;
};

/// What one trace says of a device and its links; parts without measurements are empty.
struct TraceFit {
  std::optional<GemmFit> tiles;      ///< of 20 shapes or more, and a known number of multiprocessors
  std::optional<ScaleFit> products;  ///< of fewer: on the tiles' efficiencies, else on gemm_efficiency
  std::optional<double> weight_gradient_rate;
  std::vector<TracedAttentionFit> attention;
  std::vector<KernelRate> kernel_rates;
  std::optional<LinkFit> links;
  std::vector<std::string> notes;  ///< rows that were not used, and why
};

/// Fits what rows there are; kinds of which none can be used become left out in `rows`. A rate of a
/// pass over memory has the launch in it, as the planner uses it. `multiprocessors`: of the GPU, where the
/// file has no tiles. Errors (kBadInput): nothing that can be used.
/// Precondition: find_problem(hardware) finds none.
Result<TraceFit> fit_trace(TracedRows& rows, const Hardware& hardware,
                           std::optional<std::int64_t> multiprocessors);

/// Writes what was fitted into `hardware`; `source`: where it is from ("a trace of torch.profiler, t.json").
/// Rates of kernels that were measured are replaced.
void set_trace_fit(const TraceFit& fit, const std::string& source, Hardware& hardware);

}  // namespace portolan
