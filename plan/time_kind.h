#pragma once

#include <cstdint>
#include <string_view>

#include "model/kernel.h"
#include "plan/program.h"

namespace portolan {

/// Kinds of work that a framework's kernels can be told apart by, and a plan's too: what a trace is joined to
/// a prediction by. Coarser than KernelKind, for a product's kernel has no name that says whose product it
/// is.
enum class TimeKind : std::uint8_t {
  kGemm,       ///< matrix products, those of unfused attention too
  kAttention,  ///< attention in one kernel
  kSoftmax,    ///< of scores and of cross-entropy
  kNorm,
  kElementwise,  ///< any other pass over memory
  kEmbedding,
  kOptimizer,
  kCopy,  ///< between device and host
  kAllReduce,
  kReduceScatter,
  kAllGather,
  kBroadcast,
  kAllToAll,
  kSendReceive,
  kUnknown,  ///< of a trace: a kernel that no rule knows
};
inline constexpr int kNumTimeKinds = static_cast<int>(TimeKind::kUnknown) + 1;

std::string_view time_kind_name(TimeKind kind);
bool is_communication(TimeKind kind);

/// Precondition: a kernel that computes.
TimeKind time_kind_of(KernelKind kind);
/// Precondition: not a compute op.
TimeKind time_kind_of(const Op& op);

}  // namespace portolan
