#include "exec/initial_values.h"

#include <algorithm>

namespace portolan {

InitialValues::InitialValues(const Buffer& buffer, std::uint64_t seed)
    : stream_(seed, buffer.name), init_(buffer.init), init_std_(buffer.init_std) {}

void InitialValues::next(std::span<float> values) {
  switch (init_) {
    case ParameterInit::kNormal:
    case ParameterInit::kScaledNormal:
      for (float& value : values) {
        value = static_cast<float>(init_std_ * stream_.next_normal());
      }
      return;
    case ParameterInit::kOnes:
      std::fill(values.begin(), values.end(), 1.0F);
      return;
    case ParameterInit::kNone:
    case ParameterInit::kZeros:
      std::fill(values.begin(), values.end(), 0.0F);
      return;
  }
}

}  // namespace portolan
