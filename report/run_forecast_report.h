#pragma once

#include <string>

#include "plan/run_forecast.h"
#include "plan/scenario.h"

namespace portolan {

/// A whole training run: what was assumed of failures and checkpoints, days, dates, energy and money in half
/// and in nine of ten cases, and where the time goes. What is not known is said. Precondition:
/// scenario.training_run.
std::string run_forecast_text(const RunForecast& forecast, const Scenario& scenario, std::size_t width);

/// "83.2 days", "5.3 h", "40.1 min".
std::string format_duration(Seconds time);

}  // namespace portolan
