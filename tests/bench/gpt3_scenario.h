#pragma once

#include "plan/scenario.h"
#include "plan/strategy.h"

namespace portolan {

/// scenarios/gpt3-175b-512xa100.yaml, read once. Ends the program when it cannot be read.
const Scenario& gpt3_scenario();

/// tp 8, pp 8, dp 8 with 64 microbatches a replica (microbatch 3), full recomputation, 1F1B.
Strategy gpt3_strategy();

}  // namespace portolan
