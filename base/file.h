#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace portolan {

/// The whole content of a regular file. Errors (kBadInput): missing, a folder, unreadable, over 1 GiB.
Result<std::string> read_file(const std::filesystem::path& path);

/// Writes a temporary file beside `path`, syncs it and renames it, so that a reader sees the old
/// content or the new, never a part. Errors (kBadInput): the folder is missing or not writable, disk full.
Result<void> write_file_atomically(const std::filesystem::path& path, std::string_view content);

/// The temporary name that an atomic writer of `path` uses: same folder, so that rename is atomic.
std::filesystem::path temporary_path_for(const std::filesystem::path& path);

}  // namespace portolan
