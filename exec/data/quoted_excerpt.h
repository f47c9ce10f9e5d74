#pragma once

#include <string>
#include <string_view>

namespace portolan {

/// `text` in double quotes as one short line for an error message: quotes and backslashes are escaped,
/// control characters and bytes that form no UTF-8 sequence become \xHH, and what follows the first
/// 48 bytes becomes "...".
std::string quoted_excerpt(std::string_view text);

}  // namespace portolan
