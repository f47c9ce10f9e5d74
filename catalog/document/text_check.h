#pragma once

#include <string_view>

#include "base/result.h"

namespace portolan {

/// Whether `text` is UTF-8 (RFC 3629) without control bytes other than tab, carriage return and newline.
/// The error names file, line and the byte: a binary file is told from a malformed one.
Result<void> check_is_text(std::string_view text, std::string_view file);

}  // namespace portolan
