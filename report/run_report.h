#pragma once

#include <string>

#include "plan/divergence.h"
#include "plan/run_record.h"

namespace portolan {

/// Losses and rates of a run.
std::string run_summary(const RunRecord& record, std::size_t width);

/// Predicted against measured: the step beside its noise floor and validity, each kind of kernel, memory of
/// each rank.
std::string divergence_report(const Divergence& divergence, std::size_t width);

}  // namespace portolan
