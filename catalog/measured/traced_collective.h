#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "base/quantity.h"
#include "catalog/measured/trace_events.h"
#include "plan/collective.h"
#include "plan/time_kind.h"

namespace portolan {

/// A collective as a plan asks for it.
struct CollectiveAsked {
  CollectiveKind kind = CollectiveKind::kAllReduce;
  std::vector<std::int32_t> ranks;  ///< of its group, all of them: at least two
  Bytes size;                       ///< as CollectiveRequest::payload
};

/// What a kernel of NCCL did, from what PyTorch recorded with it ("In msg nelems", "dtype", "Process Group
/// Ranks", "Group size"; `asked`, or null), or why that cannot be told. Lists of ranks that were shortened
/// are filled in where ranks are at equal distances; without a list a group of all `num_ranks` is known.
std::variant<CollectiveAsked, const char*> traced_collective(TimeKind kind,
                                                             const TraceEvents::Communication* asked,
                                                             std::optional<std::int32_t> num_ranks);

}  // namespace portolan
