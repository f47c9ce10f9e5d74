#pragma once

#include <string>

#include "plan/divergence.h"
#include "plan/run_record.h"

namespace portolan {

/// Losses and rates of a run.
std::string run_summary(const RunRecord& record, std::size_t width);

/// Predicted against measured: each kind of work and the step beside its noise floor and validity, what was
/// read, which kinds explain the divergence, memory of each rank.
std::string divergence_report(const Divergence& divergence, std::size_t width);

}  // namespace portolan
