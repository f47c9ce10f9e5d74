#pragma once

#include <string_view>

#include "base/result.h"
#include "catalog/document/node.h"

namespace portolan {

/// One YAML document as nodes. Errors (kBadInput), one line, with file and line: malformed, empty, not
/// UTF-8 or with control bytes, over 8 MiB, nested over 64 levels, a key twice, several documents, anchors,
/// aliases and tags (no file of ours needs them, and a few lines of aliases can stand for gigabytes).
Result<DocumentNode> parse_yaml(std::string_view text, std::string_view file);

}  // namespace portolan
