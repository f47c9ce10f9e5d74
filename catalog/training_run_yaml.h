#pragma once

#include <optional>
#include <string_view>

#include "base/date.h"
#include "base/result.h"
#include "catalog/document/section.h"
#include "catalog/json/json_value.h"
#include "plan/training_run.h"

namespace portolan {

/// A scenario's `training_run` (docs/scenario-files.md lists its keys). Findings: keys that exclude each
/// other, failures without what they cost, a date to be ready by without one to start at.
void read_training_run(DocumentSection& section, TrainingRun& run);
JsonValue to_json(const TrainingRun& run, Notation notation);

/// "300e9": a whole number from 1 to 1e18. Errors (kBadInput) have no place.
Result<std::int64_t> parse_tokens(std::string_view text);
/// "90 d", or "2027-03-01", which means until that day begins and needs the day of the start. Errors
/// (kBadInput) have no place.
Result<Seconds> parse_deadline(std::string_view text, const std::optional<Date>& start);

}  // namespace portolan
