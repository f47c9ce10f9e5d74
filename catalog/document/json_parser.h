#pragma once

#include <string_view>

#include "base/result.h"
#include "catalog/document/node.h"

namespace portolan {

/// One JSON document (RFC 8259) as nodes with the lines of their keys. Numbers keep the text they had as
/// far as it matters: whole numbers of 64 bits and doubles come back exactly. Errors (kBadInput), one line:
/// "FILE:LINE:COLUMN: is not JSON: ..." for a syntax error; empty, over 64 MiB, nested over 64 levels, a key
/// twice.
Result<DocumentNode> parse_json(std::string_view text, std::string_view file, Notation notation);

/// What follows "[json.exception.parse_error.101] parse error at line 1, column 1: " in a message of
/// nlohmann-json.
std::string_view json_error_reason(std::string_view message);

}  // namespace portolan
