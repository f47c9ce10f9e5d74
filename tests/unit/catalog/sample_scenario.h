#pragma once

#include <string>

#include "plan/plan_file.h"

namespace portolan {

/// Hardware with every field away from its default and figures that no short decimal holds.
Hardware sample_hardware();
SoftwareProfile sample_software();
TransformerConfig sample_model();
/// All three, with constraints and training options.
Scenario sample_scenario();
/// A plan of sample_scenario() for `pipeline` stages, lowered.
Plan sample_plan(int pipeline);

}  // namespace portolan
