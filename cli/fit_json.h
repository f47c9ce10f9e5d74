#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "catalog/measured/traced_rows.h"
#include "study/attention_fit.h"
#include "study/gemm_fit.h"
#include "study/link_fit.h"
#include "study/step_fit.h"
#include "study/trace_fit.h"

namespace portolan {

// What `calibrate --from ... --json` prints: keys as documented in docs/command-line.md.

std::string step_fit_json(const StepConstant& constant, const StepFit& fit);
std::string attention_fit_json(const std::vector<AttentionFit>& fits, std::int64_t num_others);
std::string gemm_fit_json(const GemmFit& fit, std::int64_t num_others);
std::string link_fit_json(const LinkFit& fit, std::int64_t num_malformed);
std::string trace_fit_json(const TracedRows& rows, const TraceFit& fit);

}  // namespace portolan
