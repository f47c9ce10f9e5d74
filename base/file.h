#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace portolan {

/// The whole content of a regular file. Errors (kBadInput): missing, a folder, unreadable, over 1 GiB.
Result<std::string> read_file(const std::filesystem::path& path);

/// Whether `path` can become a file: its folder is there, and what stands there already, links followed, is a
/// regular file. Errors (kBadInput) name the path.
Result<void> check_output_path(const std::filesystem::path& path);

/// Writes a temporary file beside `path` (beside what it links to), syncs it and renames it, so that a reader
/// sees the old content or the new, never a part. Errors (kBadInput): what check_output_path finds, the
/// folder is not writable, disk full.
Result<void> write_file_atomically(const std::filesystem::path& path, std::string_view content);

/// The temporary name that an atomic writer of `path` uses: same folder, so that rename is atomic.
std::filesystem::path temporary_path_for(const std::filesystem::path& path);

}  // namespace portolan
