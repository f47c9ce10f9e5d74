#pragma once

#include <cstdint>
#include <span>

#include "base/random.h"
#include "plan/program.h"

namespace portolan {

/// What a buffer holds before the first step, in runs, so that no copy of it is needed. Random values depend
/// on the seed and the buffer's name alone: a parameter begins alike wherever it is placed.
class InitialValues {
 public:
  InitialValues(const Buffer& buffer, std::uint64_t seed);

  /// The next values.size() values.
  void next(std::span<float> values);

 private:
  RandomStream stream_;
  ParameterInit init_;
  double init_std_;
};

}  // namespace portolan
