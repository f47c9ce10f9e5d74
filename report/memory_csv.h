#pragma once

#include <string>
#include <vector>

#include "plan/memory_timeline.h"
#include "plan/program.h"

namespace portolan {

/// Comma-separated values (RFC 4180) with a line of names: stage, slot, template, microbatch, start_s, end_s,
/// allocated_bytes, reserved_bytes; one line a row, in their order. Times are the shortest decimals that read
/// back exactly.
std::string memory_csv(const std::vector<SlotMemory>& rows, const Program& program);

}  // namespace portolan
