#pragma once

#include <cstdint>
#include <random>

#include "plan/rematerialization.h"

namespace portolan {

/// What made-up problems may have; sizes are whole numbers up to some hundreds, times up to some tens.
struct ProblemSizes {
  std::int32_t most_kinds = 2;
  std::int32_t most_choices = 4;  ///< of a kind
  std::int32_t most_layers = 5;   ///< of the running chunk
  std::int32_t most_held = 2;     ///< layers of each of up to two held chunks
};

/// A problem in which every term of the memory may be what matters. The budget lies between what the choices
/// that save least and those that save most take, or a little outside.
RematerializationProblem made_up_problem(std::mt19937_64& random, const ProblemSizes& sizes);

}  // namespace portolan
