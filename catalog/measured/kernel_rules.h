#pragma once

#include <string_view>

#include "plan/time_kind.h"

namespace portolan {

/// What a kernel computes, told by its name as a profiler shows it; kUnknown where no rule knows it.
TimeKind time_kind_of_kernel(std::string_view name);

/// What a collective does, told by the name that PyTorch gives it ("_allgather_base", "allreduce"); kUnknown
/// where that says nothing ("coalesced").
TimeKind time_kind_of_collective(std::string_view name);

}  // namespace portolan
