#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "exec/data/document.h"

namespace portolan {

/// The documents of a file or of all .txt and .jsonl files directly in a folder, by file name. A .txt file
/// is one document, a .jsonl file one a record; other files in a folder are left alone.
/// Errors (kBadInput, with file and line): nothing there, another ending, an empty file, a NUL byte (so: not
/// text), and those of parse_json_lines().
Result<std::vector<Document>> read_documents(const std::filesystem::path& path);

/// The documents of a .jsonl file's text: one JSON object a line, its text in the string `text`, or else in
/// the strings `prefix` and `gold_completion`, one behind the other (the C4 samples' form). Other fields and
/// blank lines are skipped. `place` is the file's name in errors and in the documents' names.
/// Errors (kBadInput, with line): not JSON, not an object, these fields missing or not strings; no record.
Result<std::vector<Document>> parse_json_lines(std::string_view content, std::string_view place);

}  // namespace portolan
