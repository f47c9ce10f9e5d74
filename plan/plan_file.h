#pragma once

#include <string>

#include "plan/estimate.h"
#include "plan/program.h"
#include "plan/scenario.h"

namespace portolan {

/// What a plan file holds: enough to predict, run and repeat without any other file.
struct Plan {
  Scenario scenario;
  Strategy strategy;
  Program program;
  std::string hash;  ///< program_hash(program)

  bool operator==(const Plan&) const = default;
};

}  // namespace portolan
