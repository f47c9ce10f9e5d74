#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"

namespace portolan {

/// The measured rate of a flash-attention kernel, forward and backward together.
struct AttentionRow {
  std::int64_t line = 0;  ///< of the table
  std::string gpu;
  std::int64_t version = 2;   ///< FlashAttention::version
  std::int64_t sequence = 0;  ///< tokens
  bool causal = false;        ///< the FLOPs of the rate are halved
  FlopsPerSecond rate;        ///< of 16-bit products
};

struct AttentionTable {
  std::vector<AttentionRow> rows;
  std::int64_t num_others = 0;  ///< rows of other kernels, or without their rate
};

/// Reads a table of measured attention kernels: columns by name, `op` ("attention FA1", "attention FATriton":
/// version 1; "attention FA2": version 2; others are counted), `shape` ("seq=2048 ... causal=yes", where the
/// rest is left alone), `tflops`, and `gpu` where it is there. Errors (kBadInput) with file, line and column:
/// columns missing, a shape without seq or causal, numbers that are none or out of range.
Result<AttentionTable> read_attention_rows(std::string_view text, const std::string& file);

}  // namespace portolan
