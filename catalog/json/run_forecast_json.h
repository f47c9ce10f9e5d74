#pragma once

#include "catalog/json/json_value.h"
#include "plan/run_forecast.h"

namespace portolan {

/// A forecast with the keys that --json documents (docs/command-line.md). What is not known is null.
JsonValue to_json(const RunForecast& forecast);

}  // namespace portolan
