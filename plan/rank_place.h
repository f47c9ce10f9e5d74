#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "plan/program.h"
#include "plan/strategy.h"
#include "topology/placement.h"

namespace portolan {

// Where a rank is and whom its ops join: what an interpreter needs to know of axes, so that it names none.

/// Along these ranks hold the same part of the model: all of it that is no expert's, and experts' too.
inline constexpr AxisSet kDataAxes = {Axis::kContext, Axis::kExpert, Axis::kData};
/// Axes along which the kernels of one layer wait for each other.
inline constexpr AxisSet kAxesWithinKernels = {Axis::kTensor, Axis::kContext, Axis::kExpert};
inline constexpr AxisSet kExpertDataAxes = {Axis::kContext, Axis::kData};

/// Where the ranks of a Program sit, or of the one that a Strategy is lowered to.
Placement placement_of(const Program& program);
Placement placement_of(const Strategy& strategy);

/// Index into Program::stages of what `rank` does.
std::int32_t stage_of(const Program& program, std::int32_t rank);

/// Ranks that read different sequences, and which of them `rank` is: ranks that differ only in the part of
/// the model or of the sequences that they hold read the same.
std::int32_t num_replicas(const Program& program);
std::int32_t replica_of(const Program& program, std::int32_t rank);

/// The other end of a send or receive. Precondition: check_program() passed.
std::int32_t peer_of(const Program& program, std::int32_t rank, const Op& op);
std::int32_t peer_of(const Placement& placement, std::int32_t rank, const Op& op);
/// The members of a collective, ascending; `rank` is one of them.
std::vector<std::int32_t> group_of(const Program& program, std::int32_t rank, const Op& op);
std::vector<std::int32_t> group_of(const Placement& placement, std::int32_t rank, const Op& op);
/// One of them, how many they are, and the first of them.
std::int32_t member_of_group(const Placement& placement, std::int32_t rank, const Op& op, std::int32_t index);
std::int32_t group_size_of(const Placement& placement, std::int32_t rank, const Op& op);
std::int32_t leader_of(const Placement& placement, std::int32_t rank, const Op& op);

/// An axis along which single kernels are divided over ranks, where there is one.
std::optional<Axis> find_axis_within_kernels(const Program& program);

}  // namespace portolan
