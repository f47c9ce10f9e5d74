#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "plan/program.h"

namespace portolan {

// Where a rank is and whom its ops join. The one place of the executor that names axes.

/// Index into Program::stages of what `rank` does.
std::int32_t stage_of(const Program& program, std::int32_t rank);

/// Ranks that read different text, and which of them `rank` is: ranks that differ only in the part of the
/// model that they hold read the same.
std::int32_t num_replicas(const Program& program);
std::int32_t replica_of(const Program& program, std::int32_t rank);

/// The other end of a send or receive. Precondition: check_program() passed.
std::int32_t peer_of(const Program& program, std::int32_t rank, const Op& op);
/// The members of a collective, ascending; `rank` is one of them.
std::vector<std::int32_t> group_of(const Program& program, std::int32_t rank, const Op& op);

/// Errors (kInfeasible): an axis along which single kernels are divided, which the host's kernels do not
/// know.
Result<void> check_axes(const Program& program);

}  // namespace portolan
