#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace portolan {

/// A key of a scenario and the values that it takes in turn.
struct VariedKey {
  std::string key;  ///< as ScenarioOverride has it
  std::vector<std::string> values;

  bool operator==(const VariedKey&) const = default;
};

/// What `--vary` says: KEY=VALUE,VALUE,... Among the values of a whole number, 64..1024*2 stands for 64, 128,
/// 256, 512, 1024 and 100..500+200 for 100, 300, 500: up to the last, which need not be met. Blanks around a
/// value are left out.
///
/// Errors (kBadInput), one line that begins with `--vary`: no key or none that a file could have, no values,
/// an empty one, one twice, a range without a step or one that does not grow, more than 10,000 values.
Result<VariedKey> parse_vary(std::string_view text);

}  // namespace portolan
