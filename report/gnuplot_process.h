#pragma once

#include <string>

#include "base/result.h"

namespace portolan {

/// What gnuplot prints when it runs `script`. Errors (kDevice), one line: it is not installed, it fails (with
/// the first line that it says).
Result<std::string> run_gnuplot(const std::string& script);

}  // namespace portolan
