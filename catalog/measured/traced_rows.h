#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/quantity.h"
#include "catalog/measured/attention_rows.h"
#include "catalog/measured/gemm_rows.h"
#include "catalog/measured/trace_events.h"
#include "model/kernel.h"
#include "plan/collective.h"
#include "plan/time_kind.h"

namespace portolan {

/// A pass over memory.
struct TracedPass {
  KernelKind kind = KernelKind::kGeluForward;
  std::int64_t elements = 0;
  Bytes bytes;   ///< read and written
  Seconds time;  ///< median of its launches
};

/// A collective; waiting for other ranks makes launches longer, never shorter.
struct TracedCollective {
  CollectiveKind kind = CollectiveKind::kAllReduce;
  std::vector<std::int32_t> ranks;  ///< of its group, whole
  Bytes size;                       ///< as CollectiveRequest::payload
  Seconds time;                     ///< least of its launches
};

/// Kernels of which nothing is used.
struct TracedLeftOut {
  std::string what;    ///< the operation's name; else the kernel's
  std::string reason;  ///< "no sizes recorded"
  std::int64_t launches = 0;
  Seconds time;
};

/// Time of a trace's kernels of one kind.
struct TracedShare {
  TimeKind kind = TimeKind::kUnknown;
  Seconds time;
  Seconds used;  ///< of those that rows are from
  std::int64_t num_used = 0;
};

/// What a trace measures of a device: one row for each operation with its sizes.
struct TracedRows {
  std::vector<GemmRow> products;          ///< of forward, and of forward that is run again; medians
  std::vector<GemmRow> weight_gradients;  ///< products over tokens, of backward
  std::vector<AttentionRow> attention;    ///< forward and backward together
  std::vector<TracedPass> passes;
  std::vector<TracedCollective> collectives;
  std::vector<TracedShare> shares;      ///< the longest first
  std::vector<TracedLeftOut> left_out;  ///< likewise
  Seconds time;                         ///< of all kernels
  Seconds used;
  std::int64_t num_launches = 0;

  /// What a row's user cannot use after all: `used` kernels of the kind become left out.
  void leave_out(TimeKind kind, const std::string& reason);
};

/// Joins kernels to the operations that launched them (launch_context.h). Products below 1 GFLOP are left
/// out, for their time is that of a launch, and so are passes below 1 MiB, sends and receives, which wait for
/// their peers, and what the reasons say.
TracedRows traced_rows(const TraceEvents& events);

}  // namespace portolan
