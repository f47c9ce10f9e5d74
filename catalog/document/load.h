#pragma once

#include <filesystem>
#include <functional>
#include <string_view>

#include "base/result.h"
#include "catalog/document/section.h"

namespace portolan {

/// The text of a regular file; a device or a pipe, which may never end, is an error.
Result<std::string> read_regular_file(const std::filesystem::path& path);

/// The YAML document of a regular file.
Result<DocumentNode> load_yaml(const std::filesystem::path& path);

/// A copy of `node` as the root of a document of its own, whose paths begin with `prefix` and the file's own.
/// `mount`: where it is put in the document of another file.
DocumentNode rooted_at(const DocumentNode& node, std::string_view prefix, std::string_view mount = "");

/// Reads a whole document: `read` names the keys, the first finding is the error.
Result<void> read_document(const DocumentNode& root, const std::function<void(DocumentSection&)>& read,
                           std::string_view unknown_hint = "");

/// What find_problem() says about the value at a dotted path, with the path's file and line.
Error problem_at(const DocumentNode& root, std::string_view dotted_path, std::string_view message);

}  // namespace portolan
