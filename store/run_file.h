#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "plan/run_record.h"

namespace portolan {

/// A run as one HDF5 file. The layout is in docs/run-file.md. What is read equals what was written, numbers
/// to the bit, and equal records give equal bytes. All calls may run in several threads at once
/// (HDF5 built thread-safe, as Debian's is), but two writers of one path in one process share a temporary
/// name and must take turns.

/// Writes a temporary file beside `path` (temporary_path_for), syncs it and renames it: `path` holds the old
/// run or the new, never a part. Errors (kBadInput): the folder is missing or not writable, disk full; a
/// kind's name longer than 4,096 bytes or with a NUL byte; an axis order that names an axis twice; a column
/// over 2 GiB; a file over 1 GiB.
Result<void> write_run(const std::filesystem::path& path, const RunRecord& run);

/// Errors (kBadInput, one line with the file and the dataset): missing, over 1 GiB, not a run file, truncated
/// or damaged, another format version, a dataset missing, of another type or of unequal length, impossible
/// sizes.
Result<RunRecord> read_run(const std::filesystem::path& path);

/// The same without the disk. `name` stands for the file in messages.
Result<std::string> format_run(const RunRecord& run, std::string_view name);
Result<RunRecord> parse_run(std::string_view content, std::string_view name);

}  // namespace portolan
