#pragma once

#include "catalog/json/json_value.h"
#include "plan/estimate.h"
#include "plan/prediction_error.h"

namespace portolan {

/// An estimate with the keys that --json documents (docs/command-line.md). What is not computed is null:
/// intervals without margins, energy and cost where the hardware's power or price is unknown, the hash of no
/// Program.
JsonValue to_json(const Estimate& estimate, const PredictionMargins& margins = {});

}  // namespace portolan
