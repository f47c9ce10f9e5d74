#pragma once

#include <optional>

#include "base/quantity.h"

namespace portolan {

/// Resident memory of this process now, from /proc/self/statm. None where the system does not say.
std::optional<Bytes> resident_memory();
/// Memory that the machine could still give, from /proc/meminfo (MemAvailable).
std::optional<Bytes> available_memory();

}  // namespace portolan
