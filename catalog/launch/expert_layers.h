#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace portolan {

/// Which layers have experts (1) and which do not (0), from what --moe-layer-freq takes: "N", layers 0, N, 2N
/// have; or a list such as "([0]*3+[1]*58)". Nothing where it is neither, or of another length. Source:
/// Megatron-LM, megatron/training/arguments.py, moe_freq_type.
std::optional<std::vector<int>> parse_expert_layers(std::string_view text, std::int64_t num_layers);

/// "([0]*3+[1]*58)".
std::string write_expert_layers(const std::vector<int>& layers);

}  // namespace portolan
