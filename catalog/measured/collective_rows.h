#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "plan/collective.h"

namespace portolan {

/// The measured time of one collective.
struct CollectiveRow {
  std::int64_t line = 0;  ///< of the table
  std::string gpu;
  std::string inter_link;  ///< what joins the nodes
  CollectiveKind kind = CollectiveKind::kAllReduce;
  std::int64_t num_ranks = 2;
  std::int64_t num_nodes = 1;  ///< with equally many ranks each
  Bytes size;                  ///< as CollectiveRequest::payload
  Seconds time;
};

struct CollectiveTable {
  std::vector<CollectiveRow> rows;
  std::int64_t num_others = 0;  ///< rows of other collectives, or without ranks, size or time in numbers
};

/// Reads a table of measured collectives: columns by name, `collective` ("all_reduce", "all_gather",
/// "reduce_scatter", "broadcast", "all_to_all", "send_recv"; others are counted), `num_gpus`, `nodes` (empty:
/// 1), `size_bytes` and of `time_us`, `busbw_GBps` (10^9 B/s, as nccl-tests has it) and `algbw_GBps` the
/// first that has a number; `gpu` and `inter_link` where they are there. Published tables have sizes such as
/// "1G-8G": such rows are counted with the others. Errors (kBadInput) with file, line and column: columns
/// missing, numbers out of range, ranks that the nodes do not divide.
Result<CollectiveTable> read_collective_rows(std::string_view text, const std::string& file);

}  // namespace portolan
