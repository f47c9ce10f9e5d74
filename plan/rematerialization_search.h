#pragma once

#include <optional>

#include "plan/rematerialization.h"

namespace portolan {

/// The choices of rematerialize(), in no particular order among layers of one kind; nothing where none fit.
std::optional<LayerChoices> fastest_choices(const RematerializationProblem& problem, double tolerance);

}  // namespace portolan
