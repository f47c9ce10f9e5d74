#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"

namespace portolan {

/// What counted the memory of a device.
enum class MemoryCounter : std::uint8_t {
  kDevice,     ///< nvidia-smi: all that is in use, context and communicators included
  kReserved,   ///< torch.cuda.max_memory_reserved: the allocator's blocks
  kAllocated,  ///< torch.cuda.max_memory_allocated: tensors in them
};

/// A published peak of a device's memory, in a run that a table of published steps describes.
struct MemoryRow {
  std::int64_t line = 0;  ///< of the table
  std::string id;         ///< the run's
  bool is_measured = true;
  bool out_of_memory = false;  ///< the run did not fit
  Bytes peak;                  ///< the fullest device's; 0 where the run did not fit or nothing was measured
  MemoryCounter counter = MemoryCounter::kDevice;
};

/// Reads a table of published peaks: `id`, `mem_gb` (a number, or OOM), `unit` (GB, GiB, MB or MiB, and in
/// other words what counted: "GB (nvidia-smi)", thousands of MiB, "GiB (torch max reserved)", "... max
/// allocated"), `kind` (what does not begin with "measured" was not measured, and is not read further). Other
/// columns are left alone. Errors (kBadInput) with file, line and column: a column missing, `id` empty,
/// numbers that are none or out of range, units that are not known.
Result<std::vector<MemoryRow>> read_memory_rows(std::string_view text, const std::string& file);

}  // namespace portolan
