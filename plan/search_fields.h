#pragma once

#include <string>
#include <vector>

#include "plan/search_space.h"

namespace portolan {

/// What a field of Strategy may be in a search space.
struct FieldValues {
  std::string word;                 ///< as `--strategy` has it
  std::vector<std::string> values;  ///< all that occur in some candidate, in the order of the tree
};

/// Of every field that a candidate has.
std::vector<FieldValues> field_values(const SearchSpace& space);

}  // namespace portolan
