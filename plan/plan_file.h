#pragma once

#include <string>

#include "base/result.h"
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

/// Whether the parts belong together: the program is runnable (check_program) and is what `scenario` and
/// `strategy` lower to, apart from its order lists, which are anybody's to change. Errors (kBadInput) name
/// the place first: "strategy: ...", "program.stages[0].order[2]: ...", "program: stage 0, template forward 0
/// ...".
Result<void> check_plan(const Plan& plan);

}  // namespace portolan
