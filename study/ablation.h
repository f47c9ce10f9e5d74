#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plan/scenario.h"
#include "study/validation.h"

namespace portolan {

/// A part of the physics that a prediction can do without: what it is worth shows in the errors then.
struct PhysicsTerm {
  std::string_view name;  ///< "tile_quantisation"
  std::string_view what;  ///< one line: what is left out
  void (*leave_out)(Scenario& scenario);
};

/// All of them, in the order of the tables.
std::span<const PhysicsTerm> physics_terms();

/// Terms by names, joined by ",". Errors (kBadInput): a name that is not known, with all that are.
Result<std::vector<PhysicsTerm>> parse_physics_terms(std::string_view names);

/// Predicts as `predict` does, scenarios without the terms.
TaskPredictor without_terms(std::vector<PhysicsTerm> terms, TaskPredictor predict);

}  // namespace portolan
