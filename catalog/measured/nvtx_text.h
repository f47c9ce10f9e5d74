#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace portolan {

/// What PyTorch writes into a range: "aten::mm, seq = 12, op_id = 345, sizes = [[4096, 1024], [1024, 512]]".
struct NvtxOperation {
  std::string name;
  bool has_sequence = false;                    ///< autograd will go back through it, or does
  std::vector<std::vector<std::int64_t>> dims;  ///< of each input; empty: no tensor, or a list of tensors

  bool operator==(const NvtxOperation&) const = default;
};

/// Any text: without sizes, dims are empty; text that ends within them keeps those that are whole.
/// Source: pytorch, torch/csrc/profiler/util.cpp, getNvtxStr.
NvtxOperation parse_nvtx_operation(std::string_view text);

/// What NCCL writes beside its ranges, as JSON. Source: NCCL, src/include/nvtx_payload_schemas.h.
struct NcclPayload {
  std::string communicator;               ///< empty: not said
  std::optional<std::int64_t> num_ranks;  ///< of a communicator that is made
  std::optional<std::int64_t> bytes;      ///< of the message that each rank gives
};
/// Nothing is said by text that is no JSON object.
NcclPayload parse_nccl_payload(std::string_view json);

}  // namespace portolan
