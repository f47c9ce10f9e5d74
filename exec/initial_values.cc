#include "exec/initial_values.h"

#include <algorithm>

#include "base/random.h"

namespace portolan {

void initial_values(const Buffer& buffer, std::uint64_t seed, std::span<float> values) {
  switch (buffer.init) {
    case ParameterInit::kNormal:
    case ParameterInit::kScaledNormal: {
      RandomStream stream(seed, buffer.name);
      for (float& value : values) {
        value = static_cast<float>(buffer.init_std * stream.next_normal());
      }
      return;
    }
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
