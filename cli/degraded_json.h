#pragma once

#include <string>

#include "report/degraded_report.h"

namespace portolan {

/// The key `degraded` of `portolan simulate --json` (docs/command-line.md): an object, as text.
std::string degraded_json(const DegradedStep& degraded, const DegradedStory& story);

}  // namespace portolan
